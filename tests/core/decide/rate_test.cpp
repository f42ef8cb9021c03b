#include "core/decide/rate.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using outbox::core::Instant;
using outbox::core::RateLimit;

namespace {

const Instant start{1'800'000'000'000ms};

// How many start, when all that may do, each `step`, for `time`.
std::size_t started(RateLimit& rate, std::chrono::milliseconds step,
                    std::chrono::milliseconds time) {
  std::size_t count = 0;
  for (Instant at = start; at < start + time; at += step) {
    for (std::size_t left = rate.may_start(at); left > 0; --left, ++count) rate.start();
  }
  return count;
}

}  // namespace

TEST_CASE("without a rate all may start, at any time") {
  RateLimit rate{std::nullopt};
  CHECK(rate.may_start(start) > 1'000'000);
  rate.start();
  CHECK_FALSE(rate.next());
}

TEST_CASE("at most so many start in a second, after a tenth of that at once") {
  struct Row {
    double per_second;
    std::chrono::milliseconds step;
    std::size_t least, most;  // in 100 s
  };
  for (const Row& row : {Row{1, 1ms, 100, 101}, Row{10, 1ms, 1'000, 1'001}, Row{0.1, 10ms, 10, 11},
                         Row{500, 3ms, 49'900, 50'050}, Row{7, 20ms, 600, 701}}) {
    CAPTURE(row.per_second);
    RateLimit rate{row.per_second};
    const std::size_t count = started(rate, row.step, 100s);
    CHECK(count >= row.least);
    CHECK(count <= row.most);
  }
}

TEST_CASE("it says when the next one may start") {
  RateLimit rate{2};
  CHECK(rate.may_start(start) == 1);
  rate.start();
  CHECK(rate.may_start(start) == 0);
  CHECK(rate.next() == start + 500ms);
  CHECK(rate.may_start(start + 499ms) == 0);
  CHECK(rate.may_start(start + 500ms) == 1);
}

TEST_CASE("a clock that jumps gives no burst, and no endless wait") {
  RateLimit rate{1};
  CHECK(rate.may_start(start) == 1);
  rate.start();
  CHECK(rate.may_start(start + std::chrono::hours{10'000}) == 1);  // not 36 million
  rate.start();
  CHECK(rate.may_start(start) == 0);  // set back
  CHECK(*rate.next() == start + 1s);
  CHECK(rate.may_start(start + 1s) == 1);
}

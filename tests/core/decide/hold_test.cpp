#include "core/decide/hold.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using outbox::core::Backoff;
using outbox::core::backoff_delay;

TEST_CASE("the wait doubles from the least to the longest, half of it by chance") {
  const Backoff backoff{.min = 1s, .max = 600s};
  struct Row {
    std::int64_t tries;
    std::chrono::milliseconds least;
    std::chrono::milliseconds most;
  };
  const Row rows[] = {{0, 500ms, 1s},  {1, 1s, 2s},      {3, 4s, 8s},
                      {9, 256s, 512s}, {10, 300s, 600s}, {1'000'000, 300s, 600s}};
  for (const Row& row : rows) {
    CAPTURE(row.tries);
    CHECK(backoff_delay(backoff, row.tries, 0.0) == row.least);
    CHECK(backoff_delay(backoff, row.tries, 0.999999) <= row.most);
    CHECK(backoff_delay(backoff, row.tries, 0.999999) >= row.most - 2ms);
  }
}

TEST_CASE("the longest wait bounds even the first") {
  CHECK(backoff_delay({.min = 10s, .max = 10s}, 0, 0.5) == 7500ms);
  CHECK(backoff_delay({.min = 1ms, .max = 24h}, 63, 0.0) == 12h);
  CHECK(backoff_delay({.min = 24h, .max = 24h}, 63, 0.0) == 12h);
}

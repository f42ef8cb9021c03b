#include "core/settle.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;
using namespace std::chrono_literals;

namespace {

constexpr Instant now{1'000'000ms};
constexpr Backoff backoff{.min = 1s, .max = 600s};
using Ids = std::vector<std::int64_t>;

Attempt attempt(Ids ids, Verdict verdict, std::string reason = {}) {
  return {.ids = std::move(ids), .outcome = {.verdict = verdict, .reason = std::move(reason)}};
}

}  // namespace

TEST_CASE("delivered batches are delivered, and lift a hold") {
  const HoldState hold{
      .kind = "backing_off", .reason = "HTTP 503", .since = now - 5s, .until = now};

  const Settlement settlement =
      settle(hold, {attempt({1, 2}, Verdict::delivered)}, {}, backoff, now, 0);

  CHECK(settlement.delivered == Ids{1, 2});
  CHECK_FALSE(settlement.hold);
  CHECK(settlement.changes_hold);
}

TEST_CASE("a failure of any kind costs no event anything and makes the destination wait") {
  for (const Verdict verdict :
       {Verdict::refused, Verdict::unauthorized, Verdict::misconfigured, Verdict::unavailable}) {
    CAPTURE(name_of(verdict));
    const Settlement settlement =
        settle(std::nullopt, {attempt({1, 2}, verdict, "why")}, {}, backoff, now, 0);

    CHECK(settlement.delivered.empty());
    CHECK(settlement.dead.empty());
    REQUIRE(settlement.hold);
    CHECK(settlement.hold->reason == "why");
    const bool has_own_name = verdict == Verdict::unauthorized || verdict == Verdict::misconfigured;
    CHECK(settlement.hold->kind == (has_own_name ? name_of(verdict) : "backing_off"));
    CHECK(settlement.hold->since == now);
    CHECK(settlement.hold->until == now + 500ms);
    CHECK(settlement.hold->tries == 1);
  }
}

TEST_CASE("failures one after the other wait longer, and remember since when") {
  std::optional<HoldState> hold;
  Instant instant = now;
  std::chrono::milliseconds longest{0};
  for (int i = 0; i < 12; ++i) {
    hold = settle(hold, {attempt({1}, Verdict::unavailable)}, {}, backoff, instant, 0.5).hold;
    longest = std::max(longest, hold->until - instant);
    instant = hold->until;
  }

  CHECK(hold->since == now);
  CHECK(hold->tries == 12);
  CHECK(longest == 450s);
}

TEST_CASE("several failures of one round are one try") {
  const Settlement settlement =
      settle(std::nullopt, {attempt({1}, Verdict::unavailable), attempt({2}, Verdict::unavailable)},
             {}, backoff, now, 0);

  CHECK(settlement.hold->tries == 1);
  CHECK(settlement.attempts.size() == 2);
}

TEST_CASE("a round with a delivery and a failure delivers the one and waits for the other") {
  const Settlement settlement =
      settle(std::nullopt, {attempt({1}, Verdict::delivered), attempt({2}, Verdict::unavailable)},
             {}, backoff, now, 0);

  CHECK(settlement.delivered == Ids{1});
  CHECK(settlement.hold);
}

TEST_CASE("an event that cannot be sent dies with its reason and without a hold") {
  const Settlement settlement = settle(std::nullopt, {}, {{7, "unsendable"}}, backoff, now, 0);

  REQUIRE(settlement.dead.size() == 1);
  CHECK(settlement.dead[0].id == 7);
  CHECK_FALSE(settlement.changes_hold);
}

TEST_CASE("a round in which nothing happened changes nothing") {
  const HoldState hold{.reason = "why", .until = now + 1s};
  CHECK(settle(hold, {}, {}, backoff, now, 0).is_empty());
  CHECK(settle(std::nullopt, {}, {}, backoff, now, 0).is_empty());
}

TEST_CASE("what could not be recorded is kept together with what comes later") {
  Settlement earlier =
      settle(std::nullopt, {attempt({1}, Verdict::unavailable)}, {}, backoff, now, 0);
  append(earlier,
         settle(earlier.hold, {attempt({1}, Verdict::delivered)}, {{2, "x"}}, backoff, now, 0));

  CHECK(earlier.delivered == Ids{1});
  CHECK(earlier.dead.size() == 1);
  CHECK(earlier.attempts.size() == 2);
  CHECK(earlier.changes_hold);
  CHECK_FALSE(earlier.hold);
}

TEST_CASE("a hold is over when its time has come, or when a clock jump has made it absurd") {
  const HoldState hold{.until = now + 10s};
  CHECK(is_waiting(hold, backoff, now));
  CHECK(is_waiting(hold, backoff, now + 9'999ms));
  CHECK_FALSE(is_waiting(hold, backoff, now + 10s));
  CHECK_FALSE(is_waiting(hold, backoff, now - 24h));
  CHECK_FALSE(is_waiting(std::nullopt, backoff, now));
}

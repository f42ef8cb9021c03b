#include "core/settle.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace outbox::core;
using namespace std::chrono_literals;
using outbox::Verdict;

namespace {

constexpr Instant now{1'000'000ms};
const Policy policy{.backoff = {.min = 1s, .max = 600s}};
const HoldState backing_off{.kind = hold_kind::backing_off,
                            .reason = "HTTP 503",
                            .since = now - 5s,
                            .until = now,
                            .tries = 3};

Attempt attempt(Ids ids, Verdict verdict, std::string reason = {}) {
  return {.ids = std::move(ids),
          .started = now,
          .outcome = {.verdict = verdict, .reason = std::move(reason)}};
}

Attempt retrial(std::int64_t id, Verdict verdict, Suspicion suspicion) {
  Attempt made = attempt({id}, verdict, "why");
  made.suspicion = suspicion;
  return made;
}

Attempt part_of(std::int64_t search, Ids ids, Verdict verdict) {
  Attempt made = attempt(std::move(ids), verdict, "why");
  made.search = search;
  return made;
}

Settlement settle_of(const DestinationState& before, std::vector<Attempt> attempts) {
  return settle(before, std::move(attempts), {}, policy, now, 0);
}

DestinationState on_hold(const HoldState& hold) {
  DestinationState state;
  state.stance.hold = hold;
  return state;
}

}  // namespace

TEST_CASE("a delivery lifts a hold, and the pace doubles from one event on") {
  DestinationState state = on_hold(backing_off);
  state.stance.events_cap = 1;

  Settlement settlement = settle_of(state, {attempt({1}, Verdict::delivered)});

  CHECK(settlement.delivered == Ids{1});
  CHECK_FALSE(settlement.stance.hold);
  CHECK(settlement.changes_stance);
  CHECK(settlement.accepted == 0);
  CHECK(settlement.stance.events_cap == 2);
  for (const std::size_t expected : {4U, 8U, 16U, 32U, 64U}) {
    state.stance = settlement.stance;
    settlement = settle_of(state, {attempt({1}, Verdict::delivered)});
    CHECK(settlement.stance.events_cap == expected);
  }
  state.stance = settlement.stance;
  CHECK_FALSE(settle_of(state, {attempt({1}, Verdict::delivered)}).stance.events_cap);
}

TEST_CASE("trouble of the endpoint touches no event, and makes the destination wait") {
  struct Row {
    Verdict verdict;
    const char* kind;
    std::chrono::milliseconds wait;
  };
  const Row rows[] = {{Verdict::unavailable, hold_kind::backing_off, 500ms},
                      {Verdict::failed, hold_kind::backing_off, 500ms},
                      {Verdict::unauthorized, hold_kind::unauthorized, 0ms},  // read it again
                      {Verdict::misconfigured, hold_kind::misconfigured, 4s}};
  for (const Row& row : rows) {
    CAPTURE(row.kind);
    const Settlement settlement = settle_of({}, {attempt({1, 2}, row.verdict, "why")});

    CHECK(settlement.delivered.empty());
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.empty());
    CHECK(settlement.failure == row.verdict);
    REQUIRE(settlement.stance.hold);
    CHECK(
        *settlement.stance.hold ==
        HoldState{
            .kind = row.kind, .reason = "why", .since = now, .until = now + row.wait, .tries = 1});
    CHECK(settlement.stance.events_cap == 1);
  }
}

TEST_CASE("failures one after the other wait longer, and remember since when") {
  DestinationState state;
  Instant instant = now;
  std::chrono::milliseconds longest{0};
  for (int i = 0; i < 12; ++i) {
    state.stance =
        settle(state, {attempt({1}, Verdict::unavailable)}, {}, policy, instant, 0.5).stance;
    longest = std::max(longest, state.stance.hold->until - instant);
    instant = state.stance.hold->until;
  }
  CHECK(state.stance.hold->since == now);
  CHECK(state.stance.hold->tries == 12);
  CHECK(longest == 450s);
}

TEST_CASE("the endpoint is left alone for as long as it asks for") {
  Attempt asked = attempt({1}, Verdict::unavailable);
  asked.outcome.retry_after = 3h;
  CHECK(settle_of({}, {asked}).stance.hold->until == now + 3h);
  asked.outcome.retry_after = 1ms;
  CHECK(settle_of({}, {asked}).stance.hold->until == now + 500ms);
}

TEST_CASE("refused credentials are tried again at once, and then slowly") {
  const Settlement first = settle_of({}, {attempt({1}, Verdict::unauthorized)});
  CHECK(first.stance.hold->until == now);
  const Settlement second =
      settle_of(on_hold(*first.stance.hold), {attempt({1}, Verdict::unauthorized)});
  CHECK(second.stance.hold->until == now + 8s);
  const Settlement after_outage =
      settle_of(on_hold(backing_off), {attempt({1}, Verdict::unauthorized)});
  CHECK(after_outage.stance.hold->until == now);
}

TEST_CASE("several failures of one round are one try") {
  const Settlement settlement =
      settle_of({}, {attempt({1}, Verdict::unavailable), attempt({2}, Verdict::unavailable)});
  CHECK(settlement.stance.hold->tries == 1);
  CHECK(settlement.attempts.size() == 2);
}

TEST_CASE("a round with a delivery and a failure delivers the one and waits for the other") {
  const Settlement settlement =
      settle_of({}, {attempt({1}, Verdict::delivered), attempt({2}, Verdict::unavailable)});
  CHECK(settlement.delivered == Ids{1});
  CHECK(settlement.stance.hold);
}

TEST_CASE("a refused batch begins a search, and the destination does not wait") {
  const Settlement settlement = settle_of({}, {attempt({1, 2, 3, 4}, Verdict::refused)});
  CHECK(settlement.attempts.at(0).doubt.text() == "1-2+3-4");
  CHECK(settlement.suspects.empty());
  CHECK_FALSE(settlement.changes_stance);
}

TEST_CASE("a part that is accepted or refused moves its search on") {
  DestinationState state;
  state.searches = {{7, Doubt::parse("1-2+3-4")}, {9, Doubt::parse("5+6")}};

  Settlement settlement = settle_of(state, {part_of(7, {1, 2}, Verdict::delivered)});
  REQUIRE(settlement.searches.size() == 1);
  CHECK(settlement.searches[0].batch == 7);
  CHECK(settlement.searches[0].doubt.text() == "3+4");

  settlement = settle_of(state, {part_of(7, {1, 2}, Verdict::refused)});
  CHECK(settlement.searches.at(0).doubt.text() == "1+2|3-4");
  CHECK(settlement.attempts.at(0).doubt.is_empty());

  settlement = settle_of(state, {part_of(9, {5}, Verdict::refused)});
  CHECK(settlement.searches.at(0).doubt.text() == "6");
  CHECK(settlement.suspects.at(0).id == 5);
}

TEST_CASE("an event refused alone is a suspect, with a wait of its own, and not dead") {
  const Settlement settlement = settle_of({}, {attempt({5}, Verdict::refused, "HTTP 400")});

  CHECK(settlement.dead.empty());
  REQUIRE(settlement.suspects.size() == 1);
  CHECK(settlement.suspects[0].id == 5);
  CHECK(settlement.suspects[0].suspicion.attempts == 1);
  CHECK(settlement.suspects[0].due == now + 500ms);
  CHECK(settlement.suspects[0].reason == "HTTP 400");
  CHECK(settlement.stance.suspects == 1);
  CHECK_FALSE(settlement.stance.hold);
}

TEST_CASE("a suspect dies when it is refused again although others are accepted, and only then") {
  struct Row {
    std::int64_t since;           // when the search for it began
    std::int64_t accepted_batch;  // the newest acceptance
    std::int64_t suspects;        // refused alone since that
    bool dies;
  };
  const Row rows[] = {
      {20, 0, 1, false},    // nothing was ever accepted
      {20, 19, 1, false},   // nothing since the search began
      {20, 20, 1, false},   //
      {20, 21, 1, true},    // something since
      {20, 21, 9, true},    // a crowd of bad ones
      {20, 21, 10, false},  // everything is refused
  };
  for (const Row& row : rows) {
    CAPTURE(row.accepted_batch);
    CAPTURE(row.suspects);
    DestinationState state;
    state.accepted_batch = row.accepted_batch;
    state.stance.suspects = row.suspects;
    const Settlement settlement = settle_of(
        state, {retrial(5, Verdict::refused, {.batch = 25, .since = row.since, .attempts = 1})});
    CHECK(settlement.dead.size() == (row.dies ? 1 : 0));
    CHECK(settlement.suspects.size() == (row.dies ? 0 : 1));
    if (row.dies) CHECK(settlement.dead[0].reason == "refused: why");
    if (!row.dies) CHECK(settlement.suspects[0].suspicion.attempts == 2);
    const bool is_counted = row.accepted_batch > row.since;  // else it is the same one again
    CHECK(settlement.stance.suspects == row.suspects + (is_counted ? 1 : 0));
  }
}

TEST_CASE("a failure alone and a refusal alone are not two refusals") {
  DestinationState state;
  state.accepted_batch = 30;
  const Settlement settlement =
      settle_of(state, {retrial(5, Verdict::refused,
                                {.batch = 25, .since = 20, .attempts = 1, .lonely_failures = 1})});
  CHECK(settlement.dead.empty());
  CHECK(settlement.suspects.at(0).suspicion.attempts == 2);
  CHECK(settlement.stance.suspects == 1);
}

TEST_CASE("an acceptance in the same round is evidence too, and ends a series of suspects") {
  DestinationState state;
  state.stance.suspects = 9;
  const Settlement settlement =
      settle_of(state, {attempt({1}, Verdict::delivered),
                        retrial(5, Verdict::refused, {.batch = 25, .since = 25, .attempts = 1})});
  CHECK(settlement.dead.size() == 1);
  CHECK(settlement.stance.suspects == 1);
}

TEST_CASE("one acceptance is no evidence against a whole crowd of suspects") {
  DestinationState state;
  state.accepted_batch = 30;
  std::size_t dead = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    const Settlement settlement =
        settle_of(state, {retrial(i, Verdict::refused, {.batch = 25, .since = 20, .attempts = 1})});
    dead += settlement.dead.size();
    state.stance = settlement.stance;
  }
  CHECK(dead == 10);
  CHECK(state.stance.hold->kind == hold_kind::refuses_everything);
}

TEST_CASE("what another URL accepted is no evidence against the events that this one refuses") {
  DestinationState state;
  state.accepted_batch = 30;
  state.stance.is_proven = false;
  const Settlement settlement =
      settle_of(state, {retrial(5, Verdict::refused, {.batch = 25, .since = 20, .attempts = 1})});
  CHECK(settlement.dead.empty());
}

TEST_CASE("a request that was under way when the hold began is no try of its own") {
  Attempt late = attempt({1}, Verdict::failed);
  late.started = backing_off.since - 1ms;
  CHECK(settle_of(on_hold(backing_off), {late}).stance.hold == backing_off);
  late.started = backing_off.since;
  CHECK(settle_of(on_hold(backing_off), {late}).stance.hold->tries == 4);
}

TEST_CASE("a hold that began in the future begins now: a clock was set back") {
  HoldState future = backing_off;
  future.since = now + 1h;
  future.until = now + 2h;
  const auto hold = settle_of(on_hold(future), {attempt({1}, Verdict::unavailable)}).stance.hold;
  CHECK(hold->since == now);
  CHECK(is_waiting(hold, now));
}

TEST_CASE("ten suspects with nothing accepted between them speak against the endpoint") {
  DestinationState state;
  for (std::int64_t i = 1; i <= 10; ++i) {
    CHECK_FALSE(state.stance.hold);
    const Settlement settlement = settle_of(state, {attempt({i}, Verdict::refused, "HTTP 400")});
    CHECK(settlement.dead.empty());
    state.stance = settlement.stance;
  }
  REQUIRE(state.stance.hold);
  CHECK(state.stance.hold->kind == hold_kind::refuses_everything);
  CHECK(state.stance.hold->reason == "refuses everything: HTTP 400");

  // One more refusal waits longer; an acceptance ends it.
  const Settlement more = settle_of(state, {attempt({11}, Verdict::refused)});
  CHECK(more.stance.hold->tries == 2);
  CHECK_FALSE(settle_of(state, {attempt({12}, Verdict::delivered)}).stance.hold);
}

TEST_CASE("a probe that is refused for its content shows that the endpoint works") {
  const Settlement settlement =
      settle_of(on_hold(backing_off), {attempt({1}, Verdict::refused, "HTTP 400")});
  CHECK_FALSE(settlement.stance.hold);
  CHECK(settlement.suspects.size() == 1);
}

TEST_CASE("413 halves the batch, and the bytes of those to come") {
  Attempt large = attempt({1, 2, 3, 4}, Verdict::refused);
  large.outcome.is_about_size = true;
  large.bytes = 1'000'000;
  DestinationState state;

  Settlement settlement = settle_of(state, {large});
  CHECK(settlement.attempts.at(0).doubt.text() == "1-2|3-4");
  CHECK(settlement.stance.bytes_cap == 500'000);

  state.stance.bytes_cap = 300'000;
  CHECK(settle_of(state, {large}).stance.bytes_cap == 300'000);
  large.bytes = 12'000;
  CHECK(settle_of(state, {large}).stance.bytes_cap == bytes_cap_min);

  large.search = 7;
  state.searches = {{7, Doubt::parse("1-4|5-6")}};
  settlement = settle_of(state, {large});
  CHECK(settlement.searches.at(0).doubt.text() == "1-2|3-6");
  CHECK(settlement.stance.bytes_cap == 300'000);
}

TEST_CASE("a failed batch is searched only once others have succeeded") {
  // The failure itself makes the destination wait, and remembers the batch.
  Settlement settlement = settle_of({}, {attempt({1, 2, 3, 4}, Verdict::failed)});
  CHECK(settlement.attempts.at(0).doubt.text() == "1-2|3-4");
  CHECK(settlement.stance.hold);

  // A probe that fails changes nothing but the wait.
  DestinationState state = on_hold(backing_off);
  state.searches = {{7, Doubt::parse("1-2|3-4")}};
  settlement = settle_of(state, {part_of(7, {1}, Verdict::failed)});
  CHECK(settlement.searches.empty());
  CHECK(settlement.suspects.empty());
  CHECK(settlement.stance.hold->tries == 4);

  // After one that succeeded, a part that fails is halved.
  state.stance = {};
  settlement = settle_of(state, {part_of(7, {1, 2}, Verdict::failed)});
  CHECK(settlement.searches.at(0).doubt.text() == "1|2-4");
  CHECK(settlement.stance.hold);
}

TEST_CASE("an event at which the endpoint fails alone dies after ten times, each proven") {
  DestinationState state;
  state.searches = {{7, Doubt::parse("2|3-4")}};
  SUBCASE("without an acceptance since the search began it is an outage") {
    const Settlement settlement = settle_of(state, {part_of(7, {2}, Verdict::failed)});
    CHECK(settlement.suspects.empty());
    CHECK(settlement.stance.hold);
  }
  SUBCASE("with one it is a suspect") {
    state.accepted_batch = 8;
    const Settlement settlement = settle_of(state, {part_of(7, {2}, Verdict::failed)});
    REQUIRE(settlement.suspects.size() == 1);
    CHECK(settlement.suspects[0].suspicion.lonely_failures == 1);
    CHECK(settlement.searches.at(0).doubt.text() == "3-4");
    CHECK(settlement.stance.hold);
  }
  SUBCASE("each further one counts only with an acceptance since the last") {
    const Suspicion ninth{.batch = 20, .since = 7, .attempts = 9, .lonely_failures = 9};
    state.accepted_batch = 19;
    Settlement settlement = settle_of(state, {retrial(2, Verdict::failed, ninth)});
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.at(0).suspicion.lonely_failures == 9);
    CHECK_FALSE(settlement.stance.hold);  // it waits alone

    state.accepted_batch = 21;
    settlement = settle_of(state, {retrial(2, Verdict::failed, ninth)});
    REQUIRE(settlement.dead.size() == 1);
    CHECK(settlement.dead[0].reason == "failed alone 10 times while others were accepted: why");
  }
}

TEST_CASE("where the endpoint answers for each event, each gets what it deserves") {
  Attempt mixed = attempt({1, 2, 3, 4}, Verdict::delivered, "HTTP 207");
  mixed.outcome.events = {{0, Verdict::delivered, ""},
                          {1, Verdict::refused, "HTTP 400"},
                          {3, Verdict::delivered, ""},
                          {9, Verdict::delivered, ""}};  // there is no such event
  const Settlement settlement = settle_of({}, {mixed});
  CHECK(settlement.delivered == Ids{1, 4});
  CHECK(settlement.suspects.at(0).id == 2);
  CHECK(settlement.stance.hold);  // the third was left out: it failed
  CHECK(settlement.accepted == 0);

  Attempt none = attempt({1, 2}, Verdict::delivered);
  none.outcome.events = {{5, Verdict::delivered, ""}};
  const Settlement nothing = settle_of({}, {none});
  CHECK(nothing.delivered.empty());
  CHECK_FALSE(nothing.accepted);
}

TEST_CASE("an event that cannot be sent dies with its reason and without a hold") {
  const Settlement settlement =
      settle({}, {}, {.dead = {{7, "unsendable"}}, .searches = {}}, policy, now, 0);
  REQUIRE(settlement.dead.size() == 1);
  CHECK(settlement.dead[0].id == 7);
  CHECK_FALSE(settlement.changes_stance);
}

TEST_CASE("a round in which nothing happened changes nothing") {
  CHECK(settle_of(on_hold(backing_off), {}).is_empty());
  CHECK(settle_of({}, {}).is_empty());
}

TEST_CASE("a request that was not made is not in the log, and still makes the destination wait") {
  Attempt none = attempt({1}, Verdict::unauthorized, "no credential");
  none.was_made = false;
  const Settlement settlement = settle_of({}, {none, attempt({2}, Verdict::delivered)});
  CHECK(settlement.attempts.size() == 1);
  CHECK(settlement.accepted == 0);
  CHECK(settlement.stance.hold->kind == hold_kind::unauthorized);
}

TEST_CASE("a hold is over when its time has come, or when a clock jump has made it absurd") {
  const HoldState hold{.since = now - 1s, .until = now + 10s};
  CHECK(is_waiting(hold, now));
  CHECK(is_waiting(hold, now + 9'999ms));
  CHECK_FALSE(is_waiting(hold, now + 10s));
  CHECK_FALSE(is_waiting(hold, now - 2s));
  CHECK_FALSE(is_waiting(HoldState{.since = now, .until = now + 25h}, now));
  CHECK_FALSE(is_waiting(std::nullopt, now));
}

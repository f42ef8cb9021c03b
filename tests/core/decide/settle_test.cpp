#include "core/decide/settle.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "core/decide/moment.hpp"

using namespace outbox::core;
using namespace std::chrono_literals;
using outbox::Verdict;

namespace {

const Policy policy{.backoff = {.min = 1s, .max = 600s}};
const HoldState backing_off{.kind = outbox::HoldKind::backing_off,
                            .reason = "HTTP 503",
                            .since = asked_at - 5s,
                            .until = asked_at,
                            .tries = 3};

SentBatch sent(Ids ids, Verdict verdict, std::string reason = {}) {
  return {.ids = std::move(ids),
          .started = asked_at,
          .outcome = {.verdict = verdict,
                      .reason = std::move(reason),
                      .has_arrived = verdict != Verdict::unavailable}};
}

SentBatch sent_alone(std::int64_t id, Verdict verdict, Suspicion suspicion) {
  SentBatch batch = sent({id}, verdict, "why");
  batch.suspicion = suspicion;
  return batch;
}

SentBatch part_of(std::int64_t search, Ids ids, Verdict verdict) {
  SentBatch batch = sent(std::move(ids), verdict, "why");
  batch.search = search;
  return batch;
}

Settlement settle_of(const DestinationState& before, std::vector<SentBatch> batches) {
  return settle(before, std::move(batches), {}, policy, asked_at, 0);
}

// Of all its requests.
Ids delivered_by(const Settlement& settlement) {
  Ids ids;
  for (const SentBatch& request : settlement.requests) {
    ids.insert(ids.end(), request.delivered.begin(), request.delivered.end());
  }
  return ids;
}

}  // namespace

TEST_CASE("a delivery lifts a hold, and the pace doubles from one event on") {
  DestinationState state = on_hold(backing_off);
  state.endpoint.events_cap = 1;

  Settlement settlement = settle_of(state, {sent({1}, Verdict::delivered)});

  CHECK(delivered_by(settlement) == Ids{1});
  CHECK_FALSE(settlement.endpoint.hold);
  CHECK(settlement.changes_endpoint);
  CHECK(settlement.accepted == 0);
  CHECK(settlement.endpoint.events_cap == 2);
  for (const std::size_t expected : {4U, 8U, 16U, 32U, 64U}) {
    state.endpoint = settlement.endpoint;
    settlement = settle_of(state, {sent({1}, Verdict::delivered)});
    CHECK(settlement.endpoint.events_cap == expected);
  }
  state.endpoint = settlement.endpoint;
  CHECK_FALSE(settle_of(state, {sent({1}, Verdict::delivered)}).endpoint.events_cap);
}

TEST_CASE("trouble of the endpoint touches no event, and makes the destination wait") {
  struct Row {
    Verdict verdict;
    outbox::HoldKind kind;
    std::chrono::milliseconds wait;
  };
  const Row rows[] = {
      {Verdict::unavailable, outbox::HoldKind::backing_off, 500ms},
      {Verdict::failed, outbox::HoldKind::backing_off, 500ms},
      {Verdict::unauthorized, outbox::HoldKind::unauthorized, 0ms},  // read it again
      {Verdict::misconfigured, outbox::HoldKind::misconfigured, 4s}};
  for (const Row& row : rows) {
    CAPTURE(row.kind);
    const Settlement settlement = settle_of({}, {sent({1, 2}, row.verdict, "why")});

    CHECK(delivered_by(settlement).empty());
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.empty());
    CHECK(settlement.failure == row.verdict);
    REQUIRE(settlement.endpoint.hold);
    CHECK(*settlement.endpoint.hold == HoldState{.kind = row.kind,
                                                 .reason = "why",
                                                 .since = asked_at,
                                                 .until = asked_at + row.wait,
                                                 .tries = 1});
    CHECK(settlement.endpoint.events_cap == 1);
  }
}

TEST_CASE("failures one after the other wait longer, and remember since when") {
  DestinationState state;
  Instant instant = asked_at;
  std::chrono::milliseconds longest{0};
  for (int i = 0; i < 12; ++i) {
    state.endpoint =
        settle(state, {sent({1}, Verdict::unavailable)}, {}, policy, instant, 0.5).endpoint;
    longest = std::max(longest, state.endpoint.hold->until - instant);
    instant = state.endpoint.hold->until;
  }
  CHECK(state.endpoint.hold->since == asked_at);
  CHECK(state.endpoint.hold->tries == 12);
  CHECK(longest == 450s);
}

TEST_CASE("the endpoint is left alone for as long as it asks for") {
  SentBatch asked = sent({1}, Verdict::unavailable);
  asked.outcome.retry_after = 3h;
  CHECK(settle_of({}, {asked}).endpoint.hold->until == asked_at + 3h);
  asked.outcome.retry_after = 1ms;
  CHECK(settle_of({}, {asked}).endpoint.hold->until == asked_at + 500ms);
}

TEST_CASE("refused credentials are tried again at once, and then slowly") {
  const Settlement first = settle_of({}, {sent({1}, Verdict::unauthorized)});
  CHECK(first.endpoint.hold->until == asked_at);
  const Settlement second =
      settle_of(on_hold(*first.endpoint.hold), {sent({1}, Verdict::unauthorized)});
  CHECK(second.endpoint.hold->until == asked_at + 8s);
  const Settlement after_outage =
      settle_of(on_hold(backing_off), {sent({1}, Verdict::unauthorized)});
  CHECK(after_outage.endpoint.hold->until == asked_at);
  CHECK(after_outage.endpoint.hold->since == asked_at);  // of this reason
}

TEST_CASE("each request of a round knows what it delivered itself") {
  SentBatch part = part_of(7, {5, 6}, Verdict::delivered);
  DestinationState state;
  state.searches = {{7, Search::parse("5-6|8")}};

  const Settlement settlement =
      settle_of(state, {sent({1, 2}, Verdict::delivered), sent({3}, Verdict::refused), part});

  REQUIRE(settlement.requests.size() == 3);
  CHECK(settlement.requests[0].delivered == Ids{1, 2});
  CHECK(settlement.requests[1].delivered.empty());
  CHECK(settlement.requests[2].delivered == Ids{5, 6});
  CHECK(settlement.accepted == 2);
  CHECK(settlement.suspects.at(0).request == 1);
}

TEST_CASE("what a round set aside leaves the searches that it was in") {
  DestinationState state;
  state.searches = {{7, Search::parse("5|6-8")}};

  const Settlement settlement = settle(
      state, {part_of(7, {5}, Verdict::delivered)},
      {.dead = {{6, "expired"}}, .searches = {{7, Search::parse("5|7-8")}}}, policy, asked_at, 0);

  REQUIRE(settlement.searches.size() == 1);
  CHECK(settlement.searches[0].search.text() == "7-8");
}

TEST_CASE("several failures of one round are one try") {
  const Settlement settlement =
      settle_of({}, {sent({1}, Verdict::unavailable), sent({2}, Verdict::unavailable)});
  CHECK(settlement.endpoint.hold->tries == 1);
  CHECK(settlement.requests.size() == 2);
}

TEST_CASE("a round with a delivery and a failure delivers the one and waits for the other") {
  const Settlement settlement =
      settle_of({}, {sent({1}, Verdict::delivered), sent({2}, Verdict::unavailable)});
  CHECK(delivered_by(settlement) == Ids{1});
  CHECK(settlement.endpoint.hold);
}

TEST_CASE("a refused batch begins a search, and the destination does not wait") {
  const Settlement settlement = settle_of({}, {sent({1, 2, 3, 4}, Verdict::refused)});
  CHECK(settlement.requests.at(0).begun.text() == "1-2+3-4");
  CHECK(settlement.suspects.empty());
  CHECK_FALSE(settlement.changes_endpoint);
}

TEST_CASE("a part that is accepted or refused moves its search on") {
  DestinationState state;
  state.searches = {{7, Search::parse("1-2+3-4")}, {9, Search::parse("5+6")}};

  Settlement settlement = settle_of(state, {part_of(7, {1, 2}, Verdict::delivered)});
  REQUIRE(settlement.searches.size() == 1);
  CHECK(settlement.searches[0].request == 7);
  CHECK(settlement.searches[0].search.text() == "3+4");

  settlement = settle_of(state, {part_of(7, {1, 2}, Verdict::refused)});
  CHECK(settlement.searches.at(0).search.text() == "1+2|3-4");
  CHECK(settlement.requests.at(0).begun.is_empty());

  settlement = settle_of(state, {part_of(9, {5}, Verdict::refused)});
  CHECK(settlement.searches.at(0).search.text() == "6");
  CHECK(settlement.suspects.at(0).id == 5);
}

TEST_CASE("an event refused alone is a suspect, with a wait of its own, and not dead") {
  const Settlement settlement = settle_of({}, {sent({5}, Verdict::refused, "HTTP 400")});

  CHECK(settlement.dead.empty());
  REQUIRE(settlement.suspects.size() == 1);
  CHECK(settlement.suspects[0].id == 5);
  CHECK(settlement.suspects[0].suspicion.refusals == 1);
  CHECK(settlement.suspects[0].due == asked_at + 500ms);
  CHECK(settlement.suspects[0].reason == "HTTP 400");
  CHECK(settlement.endpoint.suspects == 1);
  CHECK_FALSE(settlement.endpoint.hold);
}

TEST_CASE("a suspect dies when it is refused again although others are accepted, and only then") {
  struct Row {
    std::int64_t since;             // when the search for it began
    std::int64_t accepted_request;  // the newest acceptance
    std::int64_t suspects;          // refused alone since that
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
    CAPTURE(row.accepted_request);
    CAPTURE(row.suspects);
    DestinationState state;
    state.accepted_request = row.accepted_request;
    state.endpoint.suspects = row.suspects;
    const Settlement settlement = settle_of(
        state,
        {sent_alone(5, Verdict::refused, {.request = 25, .since = row.since, .refusals = 1})});
    CHECK(settlement.dead.size() == (row.dies ? 1 : 0));
    CHECK(settlement.suspects.size() == (row.dies ? 0 : 1));
    if (row.dies) {
      CHECK(settlement.dead[0].reason == "refused: why");
      CHECK(settlement.dead[0].suspicion->refusals == 2);  // with this one
    }
    if (!row.dies) CHECK(settlement.suspects[0].suspicion.refusals == 2);
    const bool is_counted = row.accepted_request > row.since;  // else it is the same one again
    CHECK(settlement.endpoint.suspects == row.suspects + (is_counted ? 1 : 0));
  }
}

TEST_CASE("a failure alone and a refusal alone are not two refusals") {
  DestinationState state;
  state.accepted_request = 30;
  const Settlement settlement = settle_of(
      state, {sent_alone(5, Verdict::refused, {.request = 25, .since = 20, .solo_failures = 1})});
  CHECK(settlement.dead.empty());
  CHECK(settlement.suspects.at(0).suspicion.refusals == 1);
  CHECK(settlement.suspects.at(0).suspicion.solo_failures == 1);
  CHECK(settlement.endpoint.suspects == 1);
}

TEST_CASE("an acceptance in the same round is evidence too, and ends a series of suspects") {
  DestinationState state;
  state.endpoint.suspects = 9;
  const Settlement settlement = settle_of(
      state, {sent({1}, Verdict::delivered),
              sent_alone(5, Verdict::refused, {.request = 25, .since = 25, .refusals = 1})});
  CHECK(settlement.dead.size() == 1);
  CHECK(settlement.endpoint.suspects == 1);
}

TEST_CASE("one acceptance is no evidence against a whole crowd of suspects") {
  DestinationState state;
  state.accepted_request = 30;
  std::size_t dead = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    const Settlement settlement = settle_of(
        state, {sent_alone(i, Verdict::refused, {.request = 25, .since = 20, .refusals = 1})});
    dead += settlement.dead.size();
    state.endpoint = settlement.endpoint;
  }
  CHECK(dead == 10);
  CHECK(state.endpoint.hold->kind == outbox::HoldKind::refuses_everything);
}

TEST_CASE("what another URL accepted is no evidence against the events that this one refuses") {
  DestinationState state;
  state.accepted_request = 30;
  state.endpoint.is_proven = false;
  const Settlement settlement = settle_of(
      state, {sent_alone(5, Verdict::refused, {.request = 25, .since = 20, .refusals = 1})});
  CHECK(settlement.dead.empty());
}

TEST_CASE("a request that was under way when the hold began is no try of its own") {
  SentBatch late = sent({1}, Verdict::failed);
  late.started = backing_off.since - 1ms;
  CHECK(settle_of(on_hold(backing_off), {late}).endpoint.hold == backing_off);
  late.started = backing_off.since;
  CHECK(settle_of(on_hold(backing_off), {late}).endpoint.hold->tries == 4);
}

TEST_CASE("a hold that began in the future begins asked_at: a clock was set back") {
  HoldState future = backing_off;
  future.since = asked_at + 1h;
  future.until = asked_at + 2h;
  const auto hold = settle_of(on_hold(future), {sent({1}, Verdict::unavailable)}).endpoint.hold;
  CHECK(hold->since == asked_at);
  CHECK(hold->until > asked_at);
}

TEST_CASE("ten suspects with nothing accepted between them speak against the endpoint") {
  DestinationState state;
  for (std::int64_t i = 1; i <= 10; ++i) {
    CHECK_FALSE(state.endpoint.hold);
    const Settlement settlement = settle_of(state, {sent({i}, Verdict::refused, "HTTP 400")});
    CHECK(settlement.dead.empty());
    state.endpoint = settlement.endpoint;
  }
  REQUIRE(state.endpoint.hold);
  CHECK(state.endpoint.hold->kind == outbox::HoldKind::refuses_everything);
  CHECK(state.endpoint.hold->reason == "refuses everything: HTTP 400");

  // One more refusal waits longer; an acceptance ends it.
  const Settlement more = settle_of(state, {sent({11}, Verdict::refused)});
  CHECK(more.endpoint.hold->tries == 2);
  CHECK_FALSE(settle_of(state, {sent({12}, Verdict::delivered)}).endpoint.hold);
}

TEST_CASE("a probe that is refused for its content shows that the endpoint works") {
  const Settlement settlement =
      settle_of(on_hold(backing_off), {sent({1}, Verdict::refused, "HTTP 400")});
  CHECK_FALSE(settlement.endpoint.hold);
  CHECK(settlement.suspects.size() == 1);
}

TEST_CASE("413 halves the batch, and the bytes of those to come") {
  SentBatch large = sent({1, 2, 3, 4}, Verdict::refused);
  large.outcome.is_about_size = true;
  large.bytes = 1'000'000;
  DestinationState state;

  Settlement settlement = settle_of(state, {large});
  CHECK(settlement.requests.at(0).begun.text() == "1-2|3-4");
  CHECK(settlement.endpoint.bytes_cap == 500'000);

  state.endpoint.bytes_cap = 300'000;
  CHECK(settle_of(state, {large}).endpoint.bytes_cap == 300'000);
  large.bytes = 12'000;
  CHECK(settle_of(state, {large}).endpoint.bytes_cap == bytes_cap_min);

  large.search = 7;
  state.searches = {{7, Search::parse("1-4|5-6")}};
  settlement = settle_of(state, {large});
  CHECK(settlement.searches.at(0).search.text() == "1-2|3-6");
  CHECK(settlement.endpoint.bytes_cap == 300'000);

  // One that is too large by itself says nothing of batches.
  SentBatch one = sent({1}, Verdict::refused);
  one.outcome.is_about_size = true;
  CHECK_FALSE(settle_of(state, {one}).endpoint.bytes_cap);
}

TEST_CASE("a failed batch is searched only once others have succeeded") {
  for (const Verdict verdict :
       {Verdict::failed, Verdict::unavailable, Verdict::unauthorized, Verdict::misconfigured}) {
    CAPTURE(static_cast<int>(verdict));
    const auto answered = [verdict](SentBatch batch) {
      batch.outcome.has_arrived = true;  // a 429 is `unavailable` too
      batch.outcome.verdict = verdict;
      return batch;
    };
    // The failure itself makes the destination wait, and remembers the batch.
    Settlement settlement = settle_of({}, {answered(sent({1, 2, 3, 4}, verdict))});
    CHECK(settlement.requests.at(0).begun.text() == "1-4");
    CHECK(settlement.endpoint.hold);
    CHECK(settlement.endpoint.failures == 1);

    // A probe that fails changes nothing but the wait.
    DestinationState state = on_hold(backing_off);
    state.searches = {{7, Search::parse("1-4")}};
    settlement = settle_of(state, {answered(part_of(7, {1}, verdict))});
    CHECK(settlement.searches.empty());
    CHECK(settlement.suspects.empty());
    CHECK(settlement.endpoint.hold->tries == 4);

    // Without an acceptance since it began it is an outage.
    state.endpoint = {};
    settlement = settle_of(state, {answered(part_of(7, {1, 2, 3, 4}, verdict))});
    CHECK(settlement.searches.empty());
    CHECK(settlement.endpoint.hold);

    // With one, the endpoint is selective: a part that fails is halved, and nobody waits.
    state.accepted_request = 8;
    settlement = settle_of(state, {answered(part_of(7, {1, 2, 3, 4}, verdict))});
    CHECK(settlement.searches.at(0).search.text() == "1-2|3-4");
    CHECK_FALSE(settlement.endpoint.hold);
    CHECK(settlement.endpoint.is_selective);

    // It is halved too when the endpoint says how long to wait, and all wait for so long.
    SentBatch patient = answered(part_of(7, {1, 2, 3, 4}, verdict));
    patient.outcome.retry_after = 2s;
    settlement = settle_of(state, {patient});
    CHECK(settlement.searches.at(0).search.text() == "1-2|3-4");
    CHECK(settlement.endpoint.hold);
    CHECK_FALSE(settlement.endpoint.is_selective);
    CHECK(settlement.endpoint.failures == 1);

    // And so is a batch that fails for the first time.
    state = {};
    state.endpoint.is_selective = true;
    settlement = settle_of(state, {answered(sent({5, 6}, verdict))});
    CHECK(settlement.requests.at(0).begun.text() == "5|6");
    CHECK_FALSE(settlement.endpoint.hold);
  }
}

TEST_CASE(
    "too many failures in a row, or a wish to be left alone, speak against the endpoint again") {
  DestinationState state;
  state.endpoint.is_selective = true;
  SUBCASE("failures") {
    state.endpoint.failures = failures_max;
  }
  SUBCASE("Retry-After") {}
  SentBatch batch = sent({5, 6}, Verdict::failed);
  if (state.endpoint.failures == 0) batch.outcome.retry_after = 2s;
  const Settlement settlement = settle_of(state, {batch});
  CHECK(settlement.requests.at(0).begun.text() == "5-6");
  CHECK(settlement.endpoint.hold);
  CHECK_FALSE(settlement.endpoint.is_selective);
}

TEST_CASE("what did not reach the endpoint says nothing of the events") {
  DestinationState state;
  state.endpoint.is_selective = true;
  const Settlement settlement = settle_of(state, {sent({5, 6}, Verdict::unavailable)});
  CHECK(settlement.requests.at(0).begun.is_empty());
  CHECK(settlement.endpoint.hold);
}

TEST_CASE("an event at which the endpoint fails alone dies after ten times, each proven") {
  DestinationState state;
  state.searches = {{7, Search::parse("2|3-4")}};
  SUBCASE("in its search it is a suspect") {
    state.accepted_request = 8;
    const Settlement settlement = settle_of(state, {part_of(7, {2}, Verdict::failed)});
    REQUIRE(settlement.suspects.size() == 1);
    CHECK(settlement.suspects[0].suspicion.solo_failures == 1);
    CHECK(settlement.searches.at(0).search.text() == "3|4");  // where one fails, more may
    CHECK_FALSE(settlement.endpoint.hold);
  }
  SUBCASE("without a search it is one, and nothing is proven yet") {
    state.endpoint.is_selective = true;
    state.accepted_request = 8;
    const Settlement settlement = settle_of(state, {sent({9}, Verdict::failed)});
    REQUIRE(settlement.suspects.size() == 1);
    CHECK(settlement.suspects[0].suspicion.solo_failures == 0);
    CHECK_FALSE(settlement.endpoint.hold);
  }
  SUBCASE("each further one counts only with an acceptance since the last") {
    const Suspicion ninth{.request = 20, .since = 7, .solo_failures = 9};
    state.accepted_request = 19;
    Settlement settlement = settle_of(state, {sent_alone(2, Verdict::failed, ninth)});
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.at(0).suspicion.solo_failures == 9);
    CHECK_FALSE(settlement.endpoint.hold);  // it waits alone

    state.accepted_request = 21;
    settlement = settle_of(state, {sent_alone(2, Verdict::failed, ninth)});
    REQUIRE(settlement.dead.size() == 1);
    CHECK(settlement.dead[0].reason == "failed alone 10 times while others were accepted: why");
    CHECK(settlement.dead[0].suspicion->solo_failures == 10);
  }
  SUBCASE("not where others, too, failed so often and were accepted in the end") {
    const Suspicion ninth{.request = 20, .since = 7, .solo_failures = 9};
    state.accepted_request = 21;
    state.endpoint.innocent_failures = 4'000;
    const Settlement settlement = settle_of(state, {sent_alone(2, Verdict::failed, ninth)});
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.at(0).suspicion.solo_failures == 10);
  }
  SUBCASE("for a token, a URL or a rate nothing dies, ever") {
    const Suspicion many{.request = 20, .since = 7, .solo_failures = 900};
    state.accepted_request = 21;
    for (const Verdict verdict :
         {Verdict::unavailable, Verdict::unauthorized, Verdict::misconfigured}) {
      SentBatch batch = sent_alone(2, verdict, many);
      batch.outcome.has_arrived = true;
      const Settlement settlement = settle_of(state, {batch});
      CHECK(settlement.dead.empty());
      CHECK(settlement.suspects.size() == 1);
      CHECK_FALSE(settlement.endpoint.hold);
      CHECK(settlement.suspects[0].suspicion.solo_failures == 900);
    }
  }
  SUBCASE("of those only the first counts, which makes the event wait its time") {
    Suspicion suspicion{.request = 20, .since = 7};
    state.accepted_request = 21;
    for (int tries = 0; tries < 20; ++tries) {
      SentBatch batch = sent_alone(2, Verdict::unavailable, suspicion);
      batch.outcome.has_arrived = true;
      const Settlement settlement = settle_of(state, {batch});
      REQUIRE(settlement.suspects.size() == 1);
      suspicion.solo_failures = settlement.suspects[0].suspicion.solo_failures;
      CHECK(suspicion.solo_failures == 1);
    }
    const Settlement settlement = settle_of(state, {sent_alone(2, Verdict::failed, suspicion)});
    CHECK(settlement.dead.empty());
    CHECK(settlement.suspects.at(0).suspicion.solo_failures == 2);
  }
}

TEST_CASE("two refusals are not enough where what was refused is accepted in the end") {
  DestinationState state;
  state.accepted_request = 21;
  state.endpoint.innocent_failures = 1'000;
  for (const std::int64_t refusals : {1, 28, 29}) {
    const Suspicion suspicion{.request = 20, .since = 7, .refusals = refusals};
    const Settlement settlement = settle_of(state, {sent_alone(2, Verdict::refused, suspicion)});
    CHECK(settlement.dead.size() == (refusals == 29 ? 1 : 0));
  }
}

TEST_CASE("a suspect that is accepted speaks for all others") {
  const Suspicion tenth{.request = 20, .since = 7, .solo_failures = 10};
  const Settlement settlement = settle_of({}, {sent_alone(2, Verdict::delivered, tenth)});
  CHECK(settlement.endpoint.innocent_failures == 687);
  CHECK(settlement.changes_endpoint);
}

TEST_CASE("the time against a suspect begins anew when the clock was ahead") {
  const Suspicion future{
      .request = 25, .since = 20, .refusals = 2, .suspected_at_ms = unix_ms(asked_at + 24h)};
  const Settlement settlement = settle_of({}, {sent_alone(5, Verdict::refused, future)});
  CHECK(settlement.suspects.at(0).suspicion.suspected_at_ms == unix_ms(asked_at));
}

TEST_CASE("a cornered suspect dies after five refusals over three minutes, ten in all") {
  struct Row {
    std::int64_t refusals;
    std::chrono::milliseconds suspected_for;
    std::int64_t suspects;
    bool is_cornered;
    bool is_allowed;
    bool dies;
  };
  const Row rows[] = {
      {4, 3min, 1, true, true, true},    // with this one it is the fifth
      {3, 3min, 1, true, true, false},   //
      {4, 2min, 1, true, true, false},   // an API that changed its mind for a while
      {4, 3min, 10, true, true, false},  // a whole crowd: it is the endpoint
      {4, 3min, 1, false, true, false},  // evidence can still come
      {4, 3min, 1, true, false, false},  // the host has forbidden it
  };
  for (const Row& row : rows) {
    CAPTURE(row.refusals);
    CAPTURE(row.suspected_for.count());
    Policy with = policy;
    with.buries_cornered = row.is_allowed;
    DestinationState state;
    state.endpoint.suspects = row.suspects;
    const Suspicion suspicion{.request = 25,
                              .since = 20,
                              .refusals = row.refusals,
                              .suspected_at_ms = unix_ms(asked_at - row.suspected_for),
                              .is_cornered = row.is_cornered};
    const Settlement settlement =
        settle(state, {sent_alone(5, Verdict::refused, suspicion)}, {}, with, asked_at, 0);
    CHECK(settlement.dead.size() == (row.dies ? 1 : 0));
    if (row.dies) {
      CHECK(settlement.dead[0].reason == "refused 5 times while nothing else could be sent: why");
    }
  }
}

TEST_CASE("the first failure after an acceptance halves the pace, the next begin at one event") {
  DestinationState state;
  state.accepted_request = 8;
  Settlement settlement = settle_of(state, {sent({1}, Verdict::unavailable)});
  CHECK(settlement.endpoint.events_cap == 50);
  state.endpoint = settlement.endpoint;
  settlement = settle_of(state, {sent({1}, Verdict::unavailable)});
  CHECK(settlement.endpoint.events_cap == 1);
}

TEST_CASE("an endpoint that never accepted anything begins at one event after its first failure") {
  const Settlement settlement = settle_of({}, {sent({1}, Verdict::unavailable)});
  CHECK(settlement.endpoint.events_cap == 1);
}

TEST_CASE("where the sink answers for each event, each gets what it deserves") {
  SentBatch mixed = sent({1, 2, 3, 4}, Verdict::delivered, "HTTP 207");
  mixed.outcome.events = {{0, Verdict::delivered, ""},
                          {1, Verdict::refused, "HTTP 400"},
                          {3, Verdict::delivered, ""},
                          {9, Verdict::delivered, ""}};  // there is no such event
  const Settlement settlement = settle_of({}, {mixed});
  CHECK(delivered_by(settlement) == Ids{1, 4});
  REQUIRE(settlement.suspects.size() == 2);
  CHECK(settlement.suspects[0].id == 2);
  CHECK(settlement.suspects[0].suspicion.refusals == 1);
  CHECK(settlement.suspects[1].id == 3);  // it was left out, and others were taken
  CHECK(settlement.suspects[1].suspicion.refusals == 0);
  CHECK_FALSE(settlement.endpoint.hold);
  CHECK(settlement.accepted == 0);

  SentBatch none = sent({1, 2}, Verdict::delivered);
  none.outcome.events = {{5, Verdict::delivered, ""}};
  const Settlement nothing = settle_of({}, {none});
  CHECK(delivered_by(nothing).empty());
  CHECK_FALSE(nothing.accepted);
  CHECK(nothing.endpoint.hold);
  CHECK(nothing.suspects.empty());
}

TEST_CASE("an endpoint that takes others of the same request does not refuse everything") {
  Ids ids;
  std::vector<outbox::EventOutcome> events;
  for (std::size_t i = 0; i < 20; ++i) {
    ids.push_back(static_cast<std::int64_t>(i) + 1);
    const Verdict verdict = i == 0    ? Verdict::delivered
                            : i == 19 ? Verdict::refused
                                      : Verdict::failed;
    events.push_back({i, verdict, "full"});
  }
  SentBatch mixed = sent(ids, Verdict::delivered);
  mixed.outcome.events = events;
  const Settlement settlement = settle_of({}, {mixed});
  CHECK(settlement.suspects.size() == 19);
  CHECK_FALSE(settlement.endpoint.hold);
}

TEST_CASE("an event that waits for a reason of the destination is not to blame") {
  for (const Verdict verdict :
       {Verdict::unavailable, Verdict::unauthorized, Verdict::misconfigured}) {
    SentBatch mixed = sent({1, 2, 3}, Verdict::delivered);
    mixed.outcome.has_arrived = true;
    mixed.outcome.events = {
        {0, Verdict::delivered, ""}, {1, verdict, "no stream"}, {2, Verdict::failed, "lost"}};
    const Settlement settlement = settle_of({}, {mixed});
    CHECK(delivered_by(settlement) == Ids{1});
    REQUIRE(settlement.endpoint.hold);
    CHECK(settlement.endpoint.hold->reason == "no stream");
    REQUIRE(settlement.suspects.size() == 1);
    CHECK(settlement.suspects[0].id == 3);
    CHECK(settlement.requests.at(0).begun.is_empty());
  }
}

TEST_CASE("what a sink says of all events alike, or of the only one, it says of the request") {
  SentBatch all = sent({1, 2}, Verdict::failed);
  all.outcome.events = {{0, Verdict::delivered, ""}, {1, Verdict::delivered, ""}};
  CHECK(delivered_by(settle_of({}, {all})) == Ids{1, 2});

  SentBatch down = sent({1, 2}, Verdict::delivered);
  down.outcome.events = {{0, Verdict::unavailable, "down"}, {1, Verdict::unavailable, "down"}};
  CHECK(settle_of({}, {down}).endpoint.hold->reason == "down");

  SentBatch one = sent({7}, Verdict::delivered);
  one.outcome.events = {{0, Verdict::refused, "too old"}};
  const Settlement settlement = settle_of({}, {one});
  CHECK(settlement.suspects.at(0).id == 7);
  CHECK(settlement.suspects.at(0).reason == "too old");
}

TEST_CASE("a mixed outcome of many events is settled in one walk") {
  constexpr std::int64_t count = 200'000;  // looking each one up would take minutes
  Ids ids;
  std::vector<outbox::EventOutcome> events;
  for (std::int64_t id = 1; id <= count; ++id) {
    ids.push_back(id);
    const auto index = static_cast<std::size_t>(count - id);
    events.push_back({index, index % 2 == 0 ? Verdict::delivered : Verdict::unavailable, ""});
  }
  SentBatch mixed = sent(ids, Verdict::delivered);
  mixed.outcome.events = events;
  CHECK(delivered_by(settle_of({}, {mixed})).size() == count / 2);
}

TEST_CASE("an event that cannot be sent dies with its reason and without a hold") {
  const Settlement settlement =
      settle({}, {}, {.dead = {{7, "unsendable"}}, .searches = {}}, policy, asked_at, 0);
  REQUIRE(settlement.dead.size() == 1);
  CHECK(settlement.dead[0].id == 7);
  CHECK_FALSE(settlement.changes_endpoint);
}

TEST_CASE("a round in which nothing happened changes nothing") {
  CHECK(settle_of(on_hold(backing_off), {}).is_empty());
  CHECK(settle_of({}, {}).is_empty());
}

TEST_CASE("a request that was not made is not in the log, and still makes the destination wait") {
  SentBatch none = sent({1}, Verdict::unauthorized, "no credential");
  none.outcome.was_made = false;
  const Settlement settlement = settle_of({}, {none, sent({2}, Verdict::delivered)});
  CHECK(settlement.requests.size() == 1);
  CHECK(settlement.accepted == 0);
  CHECK(settlement.endpoint.hold->kind == outbox::HoldKind::unauthorized);
}

#include "core/explain.hpp"

#include <doctest/doctest.h>

using namespace outbox;
using namespace std::chrono_literals;

namespace {

constexpr core::Instant now{1'800'000'000'000ms};

core::ExplainFacts pending() {
  return {
      .event = {.event = {.id = 8812, .event_name = "invite_sent", .state = "pending"}},
      .destination = {.name = "track", .dispatcher = Serving{.pid = 4127}, .was_ever_served = true},
      .blocker = std::nullopt,
      .due_before = 12,
      .is_in_search = false,
      .now = now};
}

}  // namespace

TEST_CASE("the first thing that an event waits for is named") {
  core::ExplainFacts facts = pending();
  CHECK(core::explain(facts).waiting_for == "turn");

  facts.destination.dispatcher.reset();
  CHECK(core::explain(facts).waiting_for == "dispatcher");

  facts.destination.hold = Hold{.kind = "backing_off",
                                .reason = "HTTP 503",
                                .since = now - 5min,
                                .until = now + 41s,
                                .tries = 6};
  CHECK(core::explain(facts).waiting_for == "hold");

  facts.destination.paused = Pause{.reason = "maintenance", .since = now - 1h};
  CHECK(core::explain(facts).waiting_for == "pause");

  facts.blocker = outbox::core::Blocker{.id = 8800};
  CHECK(core::explain(facts).waiting_for == "ordering_key");

  facts.event.event.due_at = now + 2h;
  CHECK(core::explain(facts).waiting_for == "schedule");
}

TEST_CASE("a hold is told with its reason, its tries and the next one") {
  core::ExplainFacts facts = pending();
  facts.destination.hold = Hold{.kind = "backing_off",
                                .reason = "HTTP 503",
                                .since = now - 5min,
                                .until = now + 41s,
                                .tries = 6};
  CHECK(
      core::explain(facts).text ==
      "8812 invite_sent is pending: its destination is on hold for 5 min (HTTP 503, 6 tries), next "
      "try in 41 s. It has no refusals of its own. 12 due events are before it.");
}

TEST_CASE("a settled event waits for nothing") {
  core::ExplainFacts facts = pending();
  facts.event.event.settled_at = now - 3s;
  facts.event.event.state = "delivered";
  CHECK(core::explain(facts).waiting_for.empty());
  CHECK(core::explain(facts).text == "8812 invite_sent was delivered 3 s ago.");
  facts.event.event.state = "dead";
  facts.event.event.last_error = "unsendable: user_id: required";
  CHECK(core::explain(facts).text ==
        "8812 invite_sent is dead for 3 s: unsendable: user_id: required.");
}

TEST_CASE("a lane that nobody has ever served is called a possible typo") {
  core::ExplainFacts facts = pending();
  facts.destination = {.name = "trak"};
  CHECK(core::explain(facts).text.find("a typo") != std::string::npos);
}

TEST_CASE("a suspect waits for its next try, and its neighbours for the search") {
  core::ExplainFacts facts = pending();
  facts.is_in_search = true;
  CHECK(core::explain(facts).waiting_for == "search");

  facts = pending();
  facts.event.event.attempts = 1;
  facts.event.event.state = "retrying";
  facts.event.event.last_error = "HTTP 400: no such plan";
  facts.event.event.due_at = now + 30s;
  CHECK(core::explain(facts).waiting_for == "retry");
  CHECK(core::explain(facts).text ==
        "8812 invite_sent is retrying: it was refused alone (HTTP 400: no such plan) and is tried "
        "again alone in 30 s, or as soon as another event is accepted. It was refused once. "
        "12 due events are before it.");
}

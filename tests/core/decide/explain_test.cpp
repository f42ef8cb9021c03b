#include "core/decide/explain.hpp"

#include <doctest/doctest.h>

#include "core/decide/moment.hpp"

using namespace outbox;
using core::asked_at;
using namespace std::chrono_literals;

namespace {

core::ExplainFacts pending() {
  return {.event = {.event = {.id = 8812,
                              .event_name = "invite_sent",
                              .state = outbox::EventState::pending}},
          .destination = {.name = "track",
                          .dispatcher = ActiveDispatcher{.pid = 4127},
                          .was_ever_served = true},
          .blocker = std::nullopt,
          .due_before = 12,
          .is_in_search = false,
          .now = asked_at};
}

}  // namespace

TEST_CASE("the first thing that an event waits for is named") {
  core::ExplainFacts facts = pending();
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::turn);

  facts.destination.dispatcher.reset();
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::dispatcher);

  facts.destination.hold = Hold{.kind = outbox::HoldKind::backing_off,
                                .reason = "HTTP 503",
                                .since = asked_at - 5min,
                                .until = asked_at + 41s,
                                .tries = 6};
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::hold);

  facts.destination.paused = Pause{.reason = "maintenance", .since = asked_at - 1h};
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::pause);

  facts.blocker = outbox::Holder{.id = 8800};
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::ordering_key);

  facts.event.event.due_at = asked_at + 2h;
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::schedule);
}

TEST_CASE("a pause is told with its reason, if there is one, and with what ends it") {
  core::ExplainFacts facts = pending();
  facts.destination.paused = Pause{.reason = "", .since = asked_at - 1h};
  CHECK(core::explain(facts).text.find("60 min ago: `outbox resume --destination track` ends") !=
        std::string::npos);
  facts.destination.paused->reason = "maintenance";
  CHECK(core::explain(facts).text.find("ago (maintenance): `outbox resume") != std::string::npos);
  // A suspect's next try does not come either.
  facts.event.event.state = outbox::EventState::retrying;
  facts.event.event.due_at = asked_at + 3s;
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::pause);
}

TEST_CASE("an event without a name is told by its kind, and a request under way is not hidden") {
  core::ExplainFacts facts = pending();
  facts.event.event.event_name = "";
  facts.event.kind = "order.created";
  facts.destination.dispatcher->in_flight_since = asked_at - 5s;
  CHECK(core::explain(facts).text.rfind(
            "8812 (order.created) is pending: its turn has not come yet; process 4127 delivers, "
            "and has waited 5 s for the answer to a request, which may hold it. ",
            0) == 0);
  facts.destination.dispatcher = ActiveDispatcher{.pid = 1, .host = "web-7", .is_elsewhere = true};
  CHECK(core::explain(facts).text.find("process 1 on web-7 delivers") != std::string::npos);
  facts.destination.dispatcher = ActiveDispatcher{};
  CHECK(core::explain(facts).text.find("another user's dispatcher delivers") != std::string::npos);
}

TEST_CASE("a hold is told with its reason, its tries and the next one") {
  core::ExplainFacts facts = pending();
  facts.destination.hold = Hold{.kind = outbox::HoldKind::backing_off,
                                .reason = "HTTP 503",
                                .since = asked_at - 5min,
                                .until = asked_at + 41s,
                                .tries = 6};
  CHECK(
      core::explain(facts).text ==
      "8812 invite_sent is pending: its destination is on hold for 5 min (HTTP 503, 6 tries), next "
      "try in 41 s. It has no refusals of its own. 12 due events are before it.");
}

TEST_CASE("a settled event waits for nothing") {
  core::ExplainFacts facts = pending();
  facts.event.event.settled_at = asked_at - 3s;
  facts.event.event.state = outbox::EventState::delivered;
  CHECK_FALSE(core::explain(facts).waiting_for);
  CHECK(core::explain(facts).text == "8812 invite_sent was delivered 3 s ago.");
  facts.event.requests = {{.id = 6, .verdict = outbox::Verdict::failed},
                          {.id = 7, .verdict = outbox::Verdict::delivered}};
  CHECK(core::explain(facts).text == "8812 invite_sent was delivered 3 s ago in request 7.");
  facts.event.requests = {};
  facts.event.event.state = outbox::EventState::dead;
  facts.event.event.last_error = "unsendable: user_id: required";
  CHECK(core::explain(facts).text ==
        "8812 invite_sent died 3 s ago: unsendable: user_id: required. It cannot be sent as it is; "
        "`outbox discard 8812 --reason …` gives it up.");
  facts.event.event.last_error = "refused: HTTP 400";
  CHECK(core::explain(facts).text ==
        "8812 invite_sent died 3 s ago: refused: HTTP 400. `outbox retry 8812` tries it again, "
        "`outbox discard 8812 --reason …` gives it up.");
}

TEST_CASE("a destination that nobody has ever served is called a possible typo") {
  core::ExplainFacts facts = pending();
  facts.destination = {.name = "trak"};
  CHECK(core::explain(facts).text.find("mistyped") != std::string::npos);
}

TEST_CASE("a suspect waits for its next try, and its neighbours for the search") {
  core::ExplainFacts facts = pending();
  facts.is_in_search = true;
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::search);

  facts = pending();
  facts.event.event.refusals = 1;
  facts.event.event.state = outbox::EventState::retrying;
  facts.event.event.last_error = "HTTP 400: no such plan";
  facts.event.event.due_at = asked_at + 30s;
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::retry);
  CHECK(core::explain(facts).text ==
        "8812 invite_sent is retrying: it was refused alone (HTTP 400: no such plan). It is tried "
        "again alone in 30 s, or as soon as another event is accepted. It was refused alone once.");
}

TEST_CASE("an event at which the endpoint failed alone waits its time, whatever is accepted") {
  core::ExplainFacts facts = pending();
  facts.event.event.solo_failures = 2;
  facts.event.event.state = outbox::EventState::retrying;
  facts.event.event.last_error = "HTTP 500";
  facts.event.event.due_at = asked_at + 30s;
  facts.due_before = 0;
  CHECK(core::explain(facts).text ==
        "8812 invite_sent is retrying: the endpoint failed at it alone (HTTP 500). It is tried "
        "again alone in 30 s. The endpoint failed at it alone 2 times.");
}

TEST_CASE("an event that waits for its key is told what may be done about the one before it") {
  core::ExplainFacts facts = pending();
  facts.event.event.state = outbox::EventState::waiting;
  facts.blocker = Holder{.id = 8800, .is_dead = true};
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::ordering_key);
  CHECK(core::explain(facts).text ==
        "8812 invite_sent is waiting: event 8800, with the same ordering key, is before it and "
        "dead: `outbox retry 8800` tries it again, `outbox discard 8800 --reason …` gives it up "
        "and lets the others go. It has no refusals of its own.");
}

TEST_CASE("the suspect that holds a key is named, with what may be done") {
  core::ExplainFacts facts = pending();
  facts.event.event.state = outbox::EventState::waiting;
  facts.blocker = Holder{.id = 101, .refusals = 12};
  facts.due_before = 0;
  CHECK(
      core::explain(facts).text ==
      "8812 invite_sent is waiting: event 101, with the same ordering key, is before it and was "
      "refused alone 12 times: `outbox retry 101` tries it again, `outbox discard 101 --reason …` "
      "gives it up and lets the others go. It has no refusals of its own.");
  facts.blocker = Holder{.id = 101, .solo_failures = 1};
  CHECK(core::explain(facts).text.find("failed alone once: `outbox retry 101`") !=
        std::string::npos);
}

TEST_CASE("a dispatcher that does nothing is the reason") {
  core::ExplainFacts facts = pending();
  REQUIRE(facts.destination.dispatcher);
  facts.destination.dispatcher->trouble = "process 7 is stopped";
  CHECK(core::explain(facts).waiting_for == outbox::WaitingFor::dispatcher);
  CHECK(core::explain(facts).text.find("does nothing: process 7 is stopped.") != std::string::npos);
  facts.destination.hold = outbox::Hold{.reason = "HTTP 503", .tries = 2};  // it tries nothing
  CHECK(
      core::explain(facts).text.find("next try due; but its dispatcher does nothing: process 7 is "
                                     "stopped.") != std::string::npos);
}

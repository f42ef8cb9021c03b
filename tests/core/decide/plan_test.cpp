#include "core/decide/plan.hpp"

#include <doctest/doctest.h>

#include "core/event/limits.hpp"

using namespace outbox::core;

namespace {

PendingEvent event(std::int64_t id, std::string_view payload = "{}", std::string_view key = {}) {
  return {.id = id, .payload = payload, .is_validated = true, .ordering_key = key};
}

PendingEvent of_kind(std::int64_t id, std::string_view kind, std::string_view key = {}) {
  PendingEvent made = event(id, "{}", key);
  made.kind = kind;
  return made;
}

}  // namespace

TEST_CASE("the body of a batch is the stored payloads in an array") {
  const Plan plan =
      outbox::core::plan({event(1, R"({"a":1})"), event(2, R"({ "b": 2.0 })")}, {}, 1);

  REQUIRE(plan.batches.size() == 1);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 2});
  CHECK(plan.batches[0].body == R"([{"a":1},{ "b": 2.0 }])");
}

TEST_CASE("nothing to send is no batch") {
  CHECK(plan({}, {}, 1).batches.empty());
}

TEST_CASE("a batch holds no more events than allowed") {
  const Plan plan = outbox::core::plan({event(1), event(2), event(3)}, {.events_max = 2}, 2);

  REQUIRE(plan.batches.size() == 2);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 2});
  CHECK(ids_of(plan.batches[1]) == Ids{3});
}

TEST_CASE("a body is as long as allowed and not one byte longer") {
  const std::vector<PendingEvent> events = {event(1, R"({"a":1})"), event(2, R"({"b":2})")};
  const std::size_t both = std::string{R"([{"a":1},{"b":2}])"}.size();

  CHECK(plan(events, {.bytes_max = both}, 2).batches.size() == 1);
  CHECK(plan(events, {.bytes_max = both - 1}, 2).batches.size() == 2);
}

TEST_CASE("an event beyond the batch limit goes alone, up to the endpoint's own limit") {
  const std::string large = "{" + std::string(payload_bytes_max - 2, ' ') + "}";
  const Plan fits = plan({event(1), event(2, large)}, {.bytes_max = 1'000}, 2);
  REQUIRE(fits.batches.size() == 2);
  CHECK(fits.batches[1].body.size() == request_bytes_max);

  const Plan too_large = plan({event(1, large + " "), event(2)}, {}, 1);
  CHECK(ids_of(too_large.batches.at(0)) == Ids{2});
  REQUIRE(too_large.unsendable.size() == 1);
  CHECK(too_large.unsendable[0].reason == "unsendable: 1999999 bytes; a request holds 2000000");
}

TEST_CASE("what does not fit into the batches allowed is left out from its first event on") {
  const Plan plan =
      outbox::core::plan({event(1), event(2), event(5), event(6)}, {.events_max = 1}, 2);

  CHECK(plan.batches.size() == 2);
  CHECK(plan.left_out == Ids{5, 6});
}

TEST_CASE("an event that came by plain SQL and cannot be sent is set aside, and the others go") {
  PendingEvent bad = event(2, R"({"event_name":"e"})");
  bad.is_validated = false;
  PendingEvent good =
      event(3, R"({"event_name":"e","user_id":"u","timestamp":"2024-10-20T15:51:35Z"})");
  good.is_validated = false;

  const Plan plan = outbox::core::plan({event(1), bad, good}, {}, 1);

  CHECK(ids_of(plan.batches.at(0)) == Ids{1, 3});
  REQUIRE(plan.unsendable.size() == 1);
  CHECK(plan.unsendable[0].id == 2);
  CHECK(plan.unsendable[0].reason == "unsendable: user_id: required");
}

TEST_CASE("events with one ordering key are never in two batches of one plan") {
  const Plan plan = outbox::core::plan(
      {event(1, "{}", "k"), event(2), event(3, "{}", "k"), event(4), event(5, "{}", "l")},
      {.events_max = 2}, 3);

  REQUIRE(plan.batches.size() == 2);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 2});
  CHECK(ids_of(plan.batches[1]) == Ids{4, 5});
  CHECK(plan.left_out == Ids{3});
}

TEST_CASE("a small event does not overtake a large one of its key that did not fit") {
  const std::string large = R"({"x":")" + std::string(700, 'x') + "\"}";
  const Plan plan = outbox::core::plan(
      {event(1, large, "k"), event(2, large, "k"), event(3, "{}", "k"), event(4)},
      {.bytes_max = 1'000}, 2);

  REQUIRE(plan.batches.size() == 1);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 4});
  CHECK(plan.left_out == Ids{2, 3});
}

TEST_CASE("events with one ordering key may share a batch, in order") {
  const Plan plan = outbox::core::plan({event(1, "{}", "k"), event(2, "{}", "k")}, {}, 1);

  CHECK(ids_of(plan.batches.at(0)) == Ids{1, 2});
  CHECK(plan.left_out.empty());
}

TEST_CASE("where death blocks its ordering key, nothing overtakes an unsendable event") {
  PendingEvent bad = event(1, "{}", "k");
  bad.is_validated = false;
  const auto events = [&] {
    return std::vector<PendingEvent>{bad, event(2, "{}", "k"), event(3, "{}", "l")};
  };

  const Plan blocked = outbox::core::plan(events(), {}, 1, {.on_dead = OnDead::blocks});
  CHECK(ids_of(blocked.batches.at(0)) == Ids{3});
  CHECK(blocked.left_out == Ids{2});

  CHECK(ids_of(outbox::core::plan(events(), {}, 1).batches.at(0)) == Ids{2, 3});
}

TEST_CASE("a batch ends where the kind changes, and the order is kept") {
  const Plan plan = outbox::core::plan({event(1), event(2), of_kind(3, "identify"), event(4),
                                        of_kind(5, "group"), of_kind(6, "group")},
                                       {}, 9);

  REQUIRE(plan.batches.size() == 4);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 2});
  CHECK(plan.batches[0].events[0].kind.empty());
  CHECK(ids_of(plan.batches[1]) == Ids{3});
  CHECK(plan.batches[1].events[0].kind == "identify");
  CHECK(ids_of(plan.batches[2]) == Ids{4});
  CHECK(plan.batches[2].events[0].kind.empty());
  CHECK(ids_of(plan.batches[3]) == Ids{5, 6});
  CHECK(plan.batches[3].events[0].kind == "group");
}

TEST_CASE("where a sink takes all kinds together, a batch does not end at another kind") {
  const Plan plan = outbox::core::plan({event(1), of_kind(2, "b"), of_kind(3, "c")}, {}, 9,
                                       {.mixes_kinds = true});

  REQUIRE(plan.batches.size() == 1);
  CHECK(ids_of(plan.batches[0]) == Ids{1, 2, 3});
  CHECK(plan.batches[0].events[1].kind == "b");
}

TEST_CASE("where a sink takes any object, only what is no object can never be sent") {
  std::vector<PendingEvent> events = {event(1, R"({"no":"event_name"})"), event(2, "[]"),
                                      of_kind(3, "identify")};
  for (PendingEvent& event : events) event.is_validated = false;

  const Plan relayed = outbox::core::plan(events, {}, 9, {.takes_any_object = true});
  REQUIRE(relayed.unsendable.size() == 1);
  CHECK(relayed.unsendable[0].reason == "unsendable: must be a JSON object");

  CHECK(outbox::core::plan(events, {}, 9).unsendable.size() == 3);
}

TEST_CASE("one batch is the events up to the first of another kind, and no later one of its own") {
  const Plan plan =
      outbox::core::plan({event(1), of_kind(2, "identify"), event(3), event(4)}, {}, 1);

  REQUIRE(plan.batches.size() == 1);
  CHECK(ids_of(plan.batches[0]) == Ids{1});
  CHECK(plan.left_out == Ids{2, 3, 4});
}

TEST_CASE("events with one ordering key and different kinds go one request after the other") {
  const Plan plan = outbox::core::plan(
      {of_kind(1, "identify", "k"), of_kind(2, "", "k"), of_kind(3, "identify", "k")}, {}, 9);

  REQUIRE(plan.batches.size() == 1);
  CHECK(ids_of(plan.batches[0]) == Ids{1});
  CHECK(plan.left_out == Ids{2, 3});
}

// Several destinations, kinds and headers of what is enqueued.

#include <doctest/doctest.h>

#include "support/database.hpp"

using namespace outbox;

namespace {

std::vector<Enqueued> enqueue_in(support::AppDatabase& app, std::span<const Event> events,
                                 const EnqueueOptions& options) {
  SQLite::Transaction transaction{app.db(), SQLite::TransactionBehavior::IMMEDIATE};
  auto results = enqueue(app.db(), events, options);
  transaction.commit();
  return results;
}

void check_refused(const Event& event, const EnqueueOptions& options, const char* expected) {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  CHECK_THROWS_WITH_AS(enqueue(app.db(), event, options), doctest::Contains(expected),
                       std::invalid_argument);
  app.db().exec("commit");
  CHECK(app.number("select count(*) from outbox_events") == 0);
}

const Payload payload{support::payload_of("u")};

}  // namespace

TEST_CASE("an event for several destinations is a row for each, with one event id") {
  support::AppDatabase app;
  const Event events[] = {support::event_of("a"), support::event_of("b")};
  const auto results = enqueue_in(app, events, {.destinations = {"track", "audit", "nats"}});

  REQUIRE(results.size() == 6);
  CHECK(results[0].destination == "track");
  CHECK(results[2].destination == "nats");
  CHECK(results[0].event_id == results[2].event_id);
  CHECK(results[3].event_id != results[2].event_id);
  CHECK(results[3].destination == "track");
  CHECK(app.number("select count(distinct payload) from outbox_events") == 2);
  CHECK(app.number("select count(*) from outbox_queue where destination = 'audit'") == 2);
}

TEST_CASE("a dedupe key holds in each destination by itself") {
  support::AppDatabase app;
  const Event event = support::event_of("a");
  enqueue_in(app, std::span{&event, 1}, {.destination = "audit", .dedupe_key = "k"});
  const auto results =
      enqueue_in(app, std::span{&event, 1}, {.destinations = {"audit", "nats"}, .dedupe_key = "k"});
  REQUIRE(results.size() == 2);
  CHECK(results[0].is_duplicate);
  CHECK_FALSE(results[1].is_duplicate);
}

TEST_CASE("a cap holds for each destination, and nothing is stored when one is full") {
  support::AppDatabase app;
  app.enqueue(support::amy(), {.destination = "audit"});
  app.db().exec("begin immediate");
  CHECK_THROWS_AS(enqueue(app.db(), support::event_of("a"),
                          {.destinations = {"track", "audit"}, .pending_events_max = 1}),
                  queue_full);
  app.db().exec("commit");
  CHECK(app.number("select count(*) from outbox_events") == 1);
}

TEST_CASE("kind and headers are stored as they are given") {
  support::AppDatabase app;
  app.enqueue(Payload{R"({"total":3})"},
              {.kind = "order.created", .headers = {{"trace-id", "a\"b"}, {"Tenant", "t"}}});
  CHECK(app.text("select kind from outbox_events") == "order.created");
  CHECK(app.text("select headers from outbox_events") == R"({"trace-id":"a\"b","Tenant":"t"})");

  app.enqueue(payload, {.kind = "track"});
  CHECK(app.number("select count(*) from outbox_events where kind is null and headers is null") ==
        1);
  app.enqueue(Identify{.user_id = "u"});
  app.enqueue(Group{.group_id = "g", .user_id = "u"}, {.kind = "group"});
  CHECK(app.text("select group_concat(kind) from outbox_events where id > 2") == "identify,group");
}

TEST_CASE("a payload is checked by its kind") {
  support::AppDatabase app;
  const auto refusal = [&](const char* text, const char* kind) {
    app.db().exec("begin immediate");
    std::string what = "fine";
    try {
      enqueue(app.db(), Payload{text}, {.kind = kind});
    } catch (const invalid_event& error) {
      what = error.field() + ": " + error.reason();
    }
    app.db().exec("rollback");
    return what;
  };
  CHECK(refusal(R"({"user_id":"u","timestamp":"2026-11-24T10:00:00Z"})", "identify") == "fine");
  CHECK(refusal(R"({"timestamp":"2026-11-24T10:00:00Z"})", "identify") == "user_id: required");
  CHECK(refusal(R"({"user_id":"u","timestamp":"2026-11-24T10:00:00Z","traits":1})", "identify") ==
        "traits: must be an object");
  CHECK(refusal(R"({"user_id":"u","timestamp":"2026-11-24T10:00:00Z"})", "group") ==
        "group_id: required");
  constexpr auto group = R"({"group_id":"g","user_id":"u","timestamp":"2026-11-24T10:00:00Z")";
  CHECK(refusal((std::string{group} + "}").c_str(), "group") ==
        "context.group_id: must be the group_id");
  CHECK(refusal((std::string{group} + R"(,"context":{"group_id":"h"}})").c_str(), "group") ==
        "context.group_id: must be the group_id");
  CHECK(refusal((std::string{group} + R"(,"context":{"group_id":"g"}})").c_str(), "group") ==
        "fine");
  CHECK(refusal("{}", "order.created") == "fine");
  CHECK(refusal("[]", "order.created") == ": must be a JSON object");
}

TEST_CASE("an event of the library may be given its own kind") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.kind = "track"});
  app.enqueue(support::amy(), {.kind = "track"});
  CHECK(app.number("select count(*) from outbox_events") == 2);
}

TEST_CASE("options that cannot be are refused by name, and store nothing") {
  const Event event = payload;
  check_refused(event, {.destinations = {"a", "a"}}, "destinations: a twice");
  check_refused(event, {.destinations = {"a", ""}}, "destinations[1]: must be 1 to 32");
  check_refused(event, {.destination = "b", .destinations = {"a"}},
                "destinations: and destination");
  check_refused(event, {.kind = std::string(65, 'k')}, "kind: longer than 64 bytes");
  check_refused(event, {.kind = "\xff"}, "kind: not UTF-8");
  check_refused(support::event_of("u"), {.kind = "identify"}, "kind: is for a Payload");
  check_refused(event, {.headers = {{"a b", "c"}}}, "headers: a name is of letters");
  check_refused(event, {.headers = {{"", "c"}}}, "headers: a name is of letters");
  check_refused(event, {.headers = {{"a", "c"}, {"a", "d"}}}, "headers: a twice");
  check_refused(event, {.headers = {{"a", "c"}, {"A", "d"}}}, "headers: A twice");
  check_refused(event, {.ordering_key = std::string{"a\0b", 3}},
                "ordering_key: must not hold a NUL");
  check_refused(event, {.headers = {{"a", "c\nd"}}}, "headers: a: must not hold control");
  check_refused(event, {.headers = {{"a", std::string(4'090, 'x')}}}, "headers: longer than 4096");
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1'000'001}}) {
    check_refused(event, {.event_bytes_max = bytes}, "event_bytes_max: must be 1 to 1,000,000");
  }
  check_refused(event, {.pending_events_max = 0}, "pending_events_max: must be at least 1");
}

TEST_CASE("what identify and group leave empty is left out, and more traits are taken") {
  support::AppDatabase app;
  app.enqueue(Identify{.user_id = "u",
                       .timestamp = "2026-11-24T10:00:00Z",
                       .traits = R"({"plan":"pro"})",
                       .context = R"({"source":"product"})"});
  CHECK(app.text("select payload from outbox_events") ==
        R"({"user_id":"u","traits":{"plan":"pro"},"timestamp":"2026-11-24T10:00:00Z",)"
        R"("context":{"source":"product"}})");
  const auto refused = [&](const Event& event, const char* field) {
    app.db().exec("begin immediate");
    std::string found = "fine";
    try {
      enqueue(app.db(), event);
    } catch (const invalid_event& error) {
      found = error.field();
    }
    app.db().exec("rollback");
    CHECK(found == field);
  };
  refused(Identify{}, "user_id");
  refused(Identify{.user_id = "u", .email = "amy"}, "traits.user_email");
  refused(Identify{.user_id = "u", .name = "A", .traits = R"({"user_name":"B"})"},
          "traits.user_name");
  refused(Group{.group_id = "g"}, "user_id");
  refused(Group{.user_id = "u"}, "group_id");
  refused(Group{.group_id = "g", .user_id = "u", .context = R"({"group_id":"h"})"},
          "context.group_id");
}

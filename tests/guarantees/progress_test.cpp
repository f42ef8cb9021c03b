// What may go is taken, once. Each of these was found by the simulation.

#include <doctest/doctest.h>

#include "support/desk.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::answer_of;
using support::Desk;
using support::events_in;

TEST_CASE("a scheduled event that is due is in a request once") {
  Desk desk;
  for (int i = 0; i < 3; ++i) {
    desk.app.enqueue(support::event_of("later"), {.not_before = desk.clock.now() + 1s});
  }
  desk.clock.advance(2s);

  desk.run();

  CHECK(desk.sink.bodies.size() == 1);
  CHECK(events_in(desk.sink.bodies.at(0)) == 3);
  CHECK(desk.count("state = 'delivered'") == 3);
}

TEST_CASE(
    "an event that leaves a search, since an earlier one of its key holds it, is ready again") {
  Desk desk;
  for (const char* user : {"bad", "held", "one", "two"}) {
    const bool has_key = std::string{user} == "bad" || std::string{user} == "held";
    desk.app.enqueue(support::event_of(user), {.ordering_key = has_key ? "key" : ""});
  }
  desk.sink.answer = [](const std::string& body) {
    return answer_of(body.find("\"bad\"") == std::string::npos ? 200 : 400);
  };
  while (desk.count("waits_as = 'suspect'") == 0) desk.run();
  CHECK(desk.count("id = 2 and waits_as = 'in search'") == 1);

  desk.run();  // sends what is left of the search

  CHECK(desk.count("id > 2 and state = 'delivered'") == 2);
  CHECK(desk.count("waits_as = 'in search'") == 0);
  desk.settle();
  CHECK(desk.count("state = 'dead' and id = 1") == 1);
  CHECK(desk.count("state = 'delivered'") == 3);
}

TEST_CASE(
    "events that were inserted without triggers are queued, whichever destination is served") {
  Desk desk;
  const auto insert = [&](const std::string& destination) {
    sqlite3* const db = desk.db().getHandle();
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    desk.db().exec("insert into outbox_events (destination, payload) values ('" + destination +
                   "', '" + support::payload_of("user") + "')");
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
  };
  insert("mirror");
  desk.restart();  // serves another destination
  CHECK(desk.count("destination = 'mirror' and state = 'pending'") == 1);

  desk.db().exec("delete from outbox_queue; delete from outbox_events");
  desk.restart();
  insert("track");
  desk.restart();
  CHECK(desk.count("destination = 'track' and state = 'pending'") == 1);
  desk.settle();
  CHECK(desk.count("destination = 'track' and state = 'delivered'") == 1);
}

TEST_CASE("thousands of scheduled events in flight keep no connection idle") {
  Desk desk{{.batch_events = 1'000, .connections = 4}};
  desk.app.enqueue_many(3'500, {.not_before = desk.clock.now() + 1s});
  desk.clock.advance(2s);
  desk.sink.holds_back = [&](const std::string&) { return desk.sink.bodies.size() < 4; };

  for (int rounds = 0; rounds < 4; ++rounds) desk.run();

  CHECK(desk.sink.bodies.size() == 4);
}

TEST_CASE("thousands of scheduled events in flight keep no new event waiting") {
  Desk desk{{.batch_events = 1'000, .connections = 4}};
  desk.app.enqueue_many(3'000, {.not_before = desk.clock.now() + 1s});
  desk.clock.advance(2s);
  desk.sink.holds_back = [](const std::string& body) { return events_in(body) == 1'000; };
  desk.run();
  desk.run();
  CHECK(desk.sink.bodies.size() == 3);

  desk.app.enqueue(support::event_of("new"));

  CHECK(desk.run().delivered == 1);
}

// Events go to another destination, with their ids, their keys' order and their counters.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "dispatch/lock.hpp"
#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/steps.hpp"

namespace {

using outbox::MoveReport;

std::string states(support::AppDatabase& app, const std::string& destination) {
  return app.text(
      "select group_concat(id || ' ' || state || coalesce(' ' || waits_as, ''), ', ') from (select "
      "*"
      " from outbox_event_states where destination = '" +
      destination + "' order by id)");
}

// Rounds of a dispatcher begin again and again, as its lock file tells.
class Heartbeat {
 public:
  explicit Heartbeat(const std::string& lock_path)
      : thread_{[lock_path](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            std::filesystem::last_write_time(lock_path,
                                             std::filesystem::file_time_type::clock::now());
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
          }
        }} {}

 private:
  std::jthread thread_;
};

}  // namespace

TEST_CASE("what was moved away is counted where nobody has ever served it, too") {
  support::AppDatabase app;
  for (int i = 0; i < 3; ++i) app.enqueue(support::event_of("u"), {.destination = "typo"});
  outbox::discard(app.db(), outbox::Selection::ids({1}), {.reason = "test"});
  app.db().exec("delete from outbox_destinations where name = 'typo'");
  REQUIRE(outbox::move_events(app.db(), "typo", "track").events == 2);

  const outbox::Counts counts = outbox::status(app.db(), "typo").destinations.at(0).counts;
  CHECK(counts.enqueued == 1);
  CHECK(counts.moved_away == 2);
}

TEST_CASE("pending events begin anew at the other destination, and dead ones stay dead") {
  support::AppDatabase app;
  const auto tomorrow = std::chrono::system_clock::now() + std::chrono::hours{24};
  for (int i = 0; i < 5; ++i) app.enqueue(support::event_of("u"), {.destination = "from"});
  app.enqueue(support::event_of("u"), {.destination = "from", .not_before = tomorrow});
  app.db().exec(
      "insert into outbox_destinations (name) values ('from');"  // a dispatcher has been there
      "update outbox_queue set state = 1 where event = 2;"
      "update outbox_queue set state = 3, refusals = 1, due_at_ms = 4000000000000 where event = 3;"
      "update outbox_queue set state = 4, settled_at_ms = 1, last_error = 'why' where event = 4;"
      "update outbox_queue set state = 5, settled_at_ms = 1 where event = 5");

  const MoveReport report = outbox::move_events(app.db(), "from", "to", {.reason = "typo"});

  CHECK(report.events == 5);
  CHECK_FALSE(report.is_removed);
  CHECK(outbox::status(app.db(), "from").destinations.at(0).counts.moved_away == 5);
  CHECK(outbox::status(app.db(), "to").destinations.at(0).counts.moved_away == 0);
  CHECK(states(app, "to") ==
        "1 pending ready, 2 pending ready, 3 pending ready, 4 dead, 6 pending ready");
  CHECK(states(app, "from") == "5 discarded");
  CHECK(app.count("id = 3 and refusals = 0 and due_at_ms = 0") == 1);
  CHECK(app.count("id = 4 and last_error = 'why'") == 1);
  CHECK(app.count("id = 6 and due_at_ms > 0") == 1);
  CHECK(app.text("select action || destination || subject || events || reason from outbox_audit") ==
        "movefromto to5typo");
  CHECK(outbox::status(app.db(), "to").counts.pending == 4);
}

TEST_CASE("a destination without events is removed, and its counters go along") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.destination = "from"});
  app.db().exec(
      "insert into outbox_destinations (name, removed, delivered_total) values"
      " ('from', 7, 9), ('to', 1, 2)");

  CHECK(outbox::move_events(app.db(), "from", "to", {}, outbox::Mode::dry_run).events == 1);
  CHECK(states(app, "from") == "1 pending ready");
  CHECK(outbox::move_events(app.db(), "from", "to").is_removed);

  CHECK(app.text("select group_concat(name || removed || delivered_total) from"
                 " outbox_destinations") == "to811");
}

TEST_CASE("what the other destination has already is left where it is") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.destination = "from", .dedupe_key = "k"});
  app.enqueue(support::event_of("u"), {.destination = "to", .dedupe_key = "k"});

  for (const auto mode : {outbox::Mode::dry_run, outbox::Mode::apply}) {
    const MoveReport report = outbox::move_events(app.db(), "from", "to", {}, mode);
    CHECK(report.events == 0);
    CHECK(report.duplicates == 1);
  }
  CHECK(states(app, "from") == "1 pending ready");
}

TEST_CASE("what is left where it is waits for nobody who has gone") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.destination = "from", .ordering_key = "key"});
  app.enqueue(support::event_of("u"),
              {.destination = "from", .ordering_key = "key", .dedupe_key = "k"});
  app.enqueue(support::event_of("u"), {.destination = "to", .dedupe_key = "k"});
  app.db().exec(
      "insert into outbox_destinations (name) values ('from');"
      "update outbox_queue set state = 1 where event = 2");

  CHECK(outbox::move_events(app.db(), "from", "to").duplicates == 1);

  CHECK(states(app, "from") == "2 pending ready");
}

TEST_CASE("what is left where it is of a search is searched on") {
  support::AppDatabase app;
  for (const char* const key : {"a", "b", "c"}) {
    app.enqueue(support::event_of("u"), {.destination = "from", .dedupe_key = key});
  }
  app.enqueue(support::event_of("u"), {.destination = "to", .dedupe_key = "b"});
  app.db().exec(
      "update outbox_queue set state = 2, search = 7 where destination = 'from';"
      "insert into outbox_requests (id, destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, bytes, outcome, search) values (7, 'from', 1000, 1, 3, 1, 3, '1-3', 1,"
      " 'refused', '1-3')");

  CHECK(outbox::move_events(app.db(), "from", "to").duplicates == 1);

  outbox::testing::RecordingEndpoint endpoint;
  outbox::deliver_once(app.db(), endpoint.endpoint(), {.destination = "from"});
  CHECK(states(app, "from") == "2 delivered");
  CHECK(app.text("select count(*) from outbox_requests where search is not null") == "0");
}

TEST_CASE("a move that ends half-way lets go what is left, and goes on when it is called again") {
  support::AppDatabase app;
  for (int i = 0; i < 500; ++i) {
    app.enqueue(support::event_of("u"), {.destination = "from", .ordering_key = "key"});
  }
  app.db().exec("update outbox_queue set state = 1 where event > 1");
  struct Ended {};
  const auto end = [](std::int64_t) { throw Ended{}; };

  CHECK_THROWS_AS(outbox::move_events(app.db(), "from", "to", {}, outbox::Mode::apply, end), Ended);

  CHECK(app.count("destination = 'to'") == 200);
  CHECK(app.count("destination = 'from' and waits_as = 'ready'") == 1);
  outbox::testing::RecordingEndpoint endpoint;
  outbox::deliver_once(app.db(), endpoint.endpoint(), {.destination = "from", .batch_events = 50});
  CHECK(outbox::status(app.db(), "from").counts.pending == 0);
  CHECK(outbox::move_events(app.db(), "from", "to").events == 0);
}

TEST_CASE("no dispatcher begins while events are moved away from it") {
  support::AppDatabase app;
  for (int i = 0; i < 500; ++i) app.enqueue(support::event_of("u"), {.destination = "from"});
  outbox::testing::RecordingEndpoint endpoint;
  int tried = 0;
  const auto begin = [&](std::int64_t) {
    const auto report = outbox::deliver_once(outbox::DatabaseFile{app.path()}, endpoint.endpoint(),
                                             {.destination = "from"});
    CHECK(report.is_served_elsewhere);
    ++tried;
  };

  CHECK(outbox::move_events(app.db(), "from", "to", {}, outbox::Mode::apply, begin).events == 500);

  CHECK(tried == 3);
  CHECK(endpoint.requests().empty());
}

TEST_CASE("a move ends when the dispatcher that rested is resumed") {
  support::AppDatabase app;
  for (int i = 0; i < 500; ++i) app.enqueue(support::event_of("u"), {.destination = "from"});
  outbox::pause(app.db(), "from", {.reason = ""});
  outbox::dispatch::Lock lock{app.path(), "from"};
  REQUIRE(lock.try_acquire(outbox::core::system_now()));
  const Heartbeat heartbeat{app.path() + "-outbox-from.lock"};
  const auto resume = [&](std::int64_t) { outbox::resume(app.db(), "from"); };

  CHECK_THROWS_WITH(outbox::move_events(app.db(), "from", "to", {}, outbox::Mode::apply, resume),
                    doctest::Contains("from was resumed meanwhile"));

  CHECK(app.count("destination = 'to'") == 200);
  CHECK(app.count("destination = 'from'") == 300);
}

TEST_CASE("nothing is moved from under a dispatcher that may have it under way") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.destination = "from"});
  outbox::dispatch::Lock lock{app.path(), "from"};
  REQUIRE(lock.try_acquire(outbox::core::system_now()));

  CHECK_THROWS_AS(outbox::move_events(app.db(), "from", "to"), std::invalid_argument);
  CHECK_THROWS_AS(outbox::move_events(app.db(), "from", "from"), std::invalid_argument);
  app.db().exec("begin");
  CHECK_THROWS_AS(outbox::move_events(app.db(), "from", "to"), std::logic_error);
  app.db().exec("rollback");
  outbox::pause(app.db(), "from", {.reason = ""});
  REQUIRE(lock.keep(outbox::core::system_now()));
  CHECK_THROWS_AS(outbox::move_events(app.db(), "from", "to"), std::invalid_argument);

  // A pause that its last round has seen. Its row stays, since it records its rounds there.
  REQUIRE(lock.keep({}));
  const Heartbeat heartbeat{app.path() + "-outbox-from.lock"};
  const MoveReport beneath = outbox::move_events(app.db(), "from", "to");
  CHECK(beneath.events == 1);
  CHECK_FALSE(beneath.is_removed);
  CHECK(outbox::status(app.db(), "from").destinations.at(0).paused);

  lock.release();
  CHECK(outbox::move_events(app.db(), "from", "to").is_removed);
}

TEST_CASE("an event that was moved keeps its history") {
  support::AppDatabase app;
  const auto id = app.enqueue(support::event_of("u"), {.destination = "from"});
  outbox::testing::RecordingEndpoint endpoint;
  endpoint.answer_next(outbox::testing::refused("HTTP 400: no"));
  outbox::deliver_once(outbox::DatabaseFile{app.path()}, endpoint.endpoint(),
                       {.destination = "from"}, std::chrono::milliseconds{0});
  REQUIRE(endpoint.requests().size() == 1);
  CHECK(outbox::move_events(app.db(), "from", "to").events == 1);
  const auto event = outbox::find_event(app.db(), id);
  REQUIRE(event);
  CHECK(event->requests.size() == 1);
}

TEST_CASE("writers do not wait while a move looks for what is left") {
  support::AppDatabase app;
  app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)"
      " insert into outbox_events (payload) select '{}' from n;"
      "insert into outbox_destinations (name) values ('trak')");
  MoveReport report;

  const auto steps = support::count_steps(app.db().getHandle(), [&] {
    report = outbox::move_events(app.db(), "trak", "track", {.reason = "typo"});
  });

  CHECK(report.is_removed);
  CHECK(steps.all > 3'000);
  CHECK(steps.while_writing > 0);
  CHECK(steps.while_writing < 1'500);
}

TEST_CASE("a move takes few large events at a time") {
  support::AppDatabase app;
  app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30)"
      " insert into outbox_events (destination, payload)"
      " select 'trak', json_object('a', printf('%250000s', '')) from n");
  std::int64_t moved = 0;
  std::int64_t most = 0;
  const auto progress = [&](std::int64_t events) {
    most = std::max(most, events - moved);
    moved = events;
  };

  CHECK(outbox::move_events(app.db(), "trak", "track", {}, outbox::Mode::apply, progress).events ==
        30);

  CHECK(moved == 30);
  CHECK(most == 7);
}

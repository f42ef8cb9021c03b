#include <doctest/doctest.h>

#include "storage/people/events.hpp"
#include "support/database.hpp"

using namespace outbox;
using namespace std::chrono_literals;

namespace {

constexpr core::Instant now{1'000s};

// An event that was enqueued ten seconds ago; `change` is what happened to its row in the queue.
void insert(support::AppDatabase& app, const std::string& columns, const std::string& values,
            const std::string& change = {}) {
  app.db().exec("insert into outbox_events (payload, enqueued_at_ms, " + columns +
                ") values ('{}', 990000, " + values + ")");
  if (change.empty()) return;
  app.db().exec("update outbox_queue set " + change +
                " where event = (select max(id) from outbox_events)");
}

// As if it were `now`.
Status status_now(support::AppDatabase& app, const std::string& destination = {}) {
  return storage::read_status(app.db().getHandle(), destination, now);
}

}  // namespace

TEST_CASE("the status of an empty queue is all zeros") {
  support::AppDatabase app;
  const Status found = status(app.db());
  CHECK(found.counts.pending == 0);
  CHECK(found.counts.enqueued == 0);
  CHECK_FALSE(found.counts.oldest_due_age);
  CHECK(found.destinations.empty());
  CHECK(found.schema_version == schema_version());
}

TEST_CASE("every event is counted in its state and its destination") {
  support::AppDatabase app;
  insert(app, "due_at_ms", "0");
  insert(app, "due_at_ms", "995000");
  insert(app, "due_at_ms", "1000001");
  insert(app, "due_at_ms", "0", "state = 2, due_at_ms = 0, search = 7");
  insert(app, "due_at_ms", "2000000", "state = 1");
  insert(app, "due_at_ms", "0", "state = 1");
  insert(app, "due_at_ms", "0", "state = 3, due_at_ms = 2000000, refusals = 2");
  insert(app, "due_at_ms", "0", "state = 3, due_at_ms = 999000, solo_failures = 1");
  insert(app, "due_at_ms", "0", "state = 4");
  insert(app, "due_at_ms", "0", "state = 5");
  insert(app, "destination", "'other'");
  insert(app, "due_at_ms", "0");
  app.mark_delivered(12, 12);

  const Status found = status_now(app);

  REQUIRE(found.destinations.size() == 2);
  const DestinationStatus& track = found.destinations[1];
  CHECK(track.name == "track");
  CHECK(track.counts.pending == 8);
  CHECK(track.counts.due == 3);
  CHECK(track.counts.scheduled == 2);
  CHECK(track.counts.waiting == 1);
  CHECK(track.counts.retrying == 2);
  CHECK(track.counts.dead == 1);
  CHECK(track.counts.discarded == 1);
  CHECK(track.counts.delivered == 1);
  CHECK(track.counts.enqueued == 11);
  CHECK(track.counts.oldest_due_age == 10s);
  CHECK_FALSE(track.was_ever_served);
  CHECK_FALSE(track.dispatcher);
  CHECK(found.counts.pending == 9);
  CHECK(found.counts.enqueued == 12);
  CHECK(status_now(app, "other").counts.pending == 1);
  CHECK(status_now(app, "nowhere").destinations.empty());
}

TEST_CASE("the age of the oldest due event does not count the time before it was due") {
  support::AppDatabase app;
  insert(app, "due_at_ms", "999000");
  insert(app, "due_at_ms", "5000000");
  CHECK(status_now(app).counts.oldest_due_age == 1s);
}

TEST_CASE("suspects have an age of their own; events behind an earlier one of their key have none") {
  support::AppDatabase app;
  insert(app, "due_at_ms", "0", "state = 1");
  insert(app, "due_at_ms", "0", "state = 3, due_at_ms = 999000, refusals = 1");
  CHECK_FALSE(status_now(app).counts.oldest_due_age);
  CHECK(status_now(app).counts.oldest_retrying_age == 10s);  // however late its next try is
  insert(app, "due_at_ms", "0", "state = 2, due_at_ms = 0");
  CHECK(status_now(app).counts.oldest_due_age == 10s);
}

TEST_CASE("the status can be read inside the caller's transaction") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  enqueue(app.db(), support::amy());
  CHECK(status(app.db()).counts.pending == 1);
  CHECK(sqlite3_get_autocommit(app.db().getHandle()) == 0);
  app.db().exec("rollback");
}

TEST_CASE("a pause shows its reason and when it began") {
  support::AppDatabase app;
  pause(app.db(), "track", {.reason = "maintenance of amy@achme.com"});
  const Status found = status(app.db());
  REQUIRE(found.destinations.at(0).paused);
  CHECK(found.destinations[0].paused->reason == "maintenance of a**@achme.com");
  CHECK(std::chrono::abs(found.destinations[0].paused->since - std::chrono::system_clock::now()) <
        1min);
}

TEST_CASE("the status of a database without a schema says what to do") {
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  CHECK_THROWS_AS(status(db), schema_error);
}

TEST_CASE("who holds others of its key back is named, the one that holds most first") {
  support::AppDatabase app;
  outbox::pause(app.db(), "track", {.reason = "so that there is a row"});
  insert(app, "ordering_key", "'a'", "state = 3, due_at_ms = 2000000, refusals = 12");
  for (int i = 0; i < 3; ++i) insert(app, "ordering_key", "'a'", "state = 1");
  insert(app, "ordering_key", "'b'", "state = 3, due_at_ms = 2000000, solo_failures = 2");
  for (int i = 0; i < 4; ++i) insert(app, "ordering_key", "'b'", "state = 1");
  insert(app, "ordering_key", "'c'", "state = 3, due_at_ms = 2000000, refusals = 1");  // alone
  insert(app, "ordering_key", "'d'", "state = 4, refusals = 2");
  insert(app, "ordering_key", "'d'", "state = 1");

  auto holders = status_now(app).destinations.at(0).holders;
  REQUIRE(holders.size() == 2);
  CHECK(holders[0].id == 5);
  CHECK(holders[0].solo_failures == 2);
  CHECK(holders[0].holds == 4);
  CHECK(holders[1].id == 1);
  CHECK(holders[1].refusals == 12);
  CHECK(holders[1].holds == 3);

  app.db().exec("update outbox_destinations set block_on_dead = 1");
  holders = status_now(app).destinations.at(0).holders;
  REQUIRE(holders.size() == 3);
  CHECK(holders[2].is_dead);
}

TEST_CASE("a dead event that holds others is named among many that hold nobody") {
  support::AppDatabase app;
  outbox::pause(app.db(), "track", {.reason = "so that there is a row"});
  app.db().exec("update outbox_destinations set block_on_dead = 1");
  for (int i = 0; i < 101; ++i) {
    insert(app, "ordering_key", "'alone " + std::to_string(i) + "'", "state = 4, refusals = 2");
  }
  insert(app, "ordering_key", "'held'", "state = 4, refusals = 2");
  insert(app, "ordering_key", "'held'", "state = 1");

  const auto holders = status_now(app).destinations.at(0).holders;

  REQUIRE(holders.size() == 1);
  CHECK(holders[0].id == 102);
}

TEST_CASE("the destinations are listed without counting the queue") {
  support::AppDatabase app;
  app.enqueue_many(3, {.destination = "other"});
  app.enqueue_many(2);
  outbox::pause(app.db(), "third", {.reason = "why"});
  const auto found = outbox::list_destinations(app.db());
  REQUIRE(found.size() == 3);
  CHECK(found[0].name == "other");
  CHECK(found[1].name == "third");
  CHECK(found[1].paused->reason == "why");
  CHECK(found[2].name == "track");
  CHECK(found[2].counts.pending == 0);  // not counted
  CHECK_FALSE(found[2].dispatcher);
  CHECK_FALSE(found[2].is_foreign);

  app.db().exec(
      "insert into outbox_destinations (name, database_identity) values ('track', 'elsewhere'),"
      " ('other', 'elsewhere'); delete from outbox_queue where destination = 'other'");
  CHECK(outbox::list_destinations(app.db()).back().is_foreign);
  CHECK_FALSE(outbox::list_destinations(app.db()).front().is_foreign);  // nothing is pending
}

TEST_CASE("failures are listed by their reasons, the most frequent first") {
  support::AppDatabase app;
  app.enqueue_many(6);
  app.db().exec(
      "update outbox_queue set state = 4, last_error = 'refused: HTTP 400' where event < 4;"
      "update outbox_queue set state = 3, due_at_ms = 1, last_error = 'HTTP 500' where event = 5");
  const auto found = outbox::list_failures(app.db());
  REQUIRE(found.size() == 2);
  CHECK(found[0].reason == "refused: HTTP 400");
  CHECK(found[0].is_dead);
  CHECK(found[0].events == 3);
  CHECK(found[0].newest_id == 3);
  CHECK(found[1].reason == "HTTP 500");
  CHECK_FALSE(found[1].is_dead);
  CHECK(outbox::list_failures(app.db(), "other").empty());
  CHECK(outbox::list_failures(app.db(), {}, 1).size() == 1);
}

#include "storage/life/log_gap.hpp"

#include <doctest/doctest.h>

#include "storage/life/table.hpp"

using outbox::core::Ids;
using support::Table;

namespace {

void switch_triggers(SQLite::Database& db, bool are_on) {
  sqlite3_db_config(db.getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, are_on ? 1 : 0, nullptr);
}

bool serve(Table& table) {
  return table.store.serve({.endpoint = "endpoint"}, Table::now);
}

}  // namespace

TEST_CASE("what plain SQL inserted while triggers were off is queued by the next dispatcher") {
  Table table;
  table.add();
  switch_triggers(table.app.db(), false);
  table.app.db().exec(
      "insert into outbox_events (payload, ordering_key, due_at_ms, enqueued_at_ms) values"
      " ('{\"n\":2}', 'k', 0, 20), ('{\"n\":3}', 'k', 0, 30), ('{\"n\":4}', null, 500, 40)");
  switch_triggers(table.app.db(), true);
  table.add();
  REQUIRE(table.number("select count(*) from outbox_queue") == 2);
  CHECK(outbox::storage::log_gap(table.handle()) == 3);

  serve(table);

  CHECK(outbox::storage::log_gap(table.handle()) == 0);
  CHECK(table.app.text("select group_concat(event || coalesce(ordering_key, '') || ' ' || due_at_ms"
                       " || ' ' || enqueued_at_ms) from outbox_queue where event in (2, 3, 4)") ==
        "2k 0 20,3k 0 30,4 500 40");
  CHECK(table.look(9) == Ids{1, 2, 3, 4, 5});
}

TEST_CASE("what was delivered, removed or given up is not queued again") {
  Table table;
  table.add_many(6);
  table.deliver(2);
  table.deliver(1);
  table.discard(4);
  table.kill(table.take(1));
  switch_triggers(table.app.db(), false);
  table.add();
  switch_triggers(table.app.db(), true);

  serve(table);

  CHECK(table.app.count("state = 'delivered'") == 3);
  CHECK(table.app.count("state = 'discarded'") == 1);
  CHECK(table.app.count("state = 'dead'") == 1);
  CHECK(table.look(9) == Ids{6, 7});

  CHECK(table.store.prune(Table::now + std::chrono::hours{1}, Table::now + std::chrono::hours{1}));
  CHECK(outbox::storage::log_gap(table.handle()) == 0);
  CHECK(table.number("select count(*) from outbox_events") == 4);
}

TEST_CASE("the first dispatcher queues what is missing, for every destination") {
  Table table;
  switch_triggers(table.app.db(), false);
  table.app.db().exec(
      "insert into outbox_events (payload, destination) values ('{}', 'other'), ('{}', 'track')");
  serve(table);
  CHECK(table.number("select count(*) from outbox_queue") == 2);
  outbox::storage::Store other{table.person.getHandle(), "other"};
  other.serve({.endpoint = "other"}, Table::now);
  CHECK(table.number("select count(*) from outbox_queue where destination = 'other'") == 1);
}

TEST_CASE("the log is read only when something has changed since it was read last") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 2'000; ++i) table.add();
  table.app.db().exec("commit");
  table.deliver(2'000);
  table.add_many(2'000);
  const auto steps = [&] { return support::steps_of(table.handle(), [&] { serve(table); }); };
  SUBCASE("nothing is missing") {
    CHECK(steps() < 1'000);
  }
  SUBCASE("ids are missing for good, since someone removed rows by hand") {
    table.person.exec(
        "delete from outbox_queue where event > 3990; delete from outbox_events where id > 3990");
    CHECK(steps() > 2'000);
    CHECK(steps() < 1'000);

    switch_triggers(table.app.db(), false);
    const std::int64_t id = table.add();
    switch_triggers(table.app.db(), true);
    CHECK(steps() > 2'000);
    CHECK(table.state_of(id) == "ready");
    CHECK(steps() < 1'000);
  }
}

TEST_CASE("writers do not wait while the log is read for nothing") {
  Table table;
  table.add_many(2'000);
  table.deliver(2'000);
  table.add();
  table.person.exec(
      "delete from outbox_queue where event > 2000; delete from outbox_events where id > 2000");
  const auto steps = support::count_steps(table.handle(), [&] { serve(table); });

  CHECK(steps.all > 2'000);
  CHECK(steps.while_writing > 0);
  CHECK(steps.while_writing < 1'000);
}

TEST_CASE("writers do not wait either while the log is read for an event that is missing") {
  Table table;
  table.add_many(2'001);
  table.deliver(2'000);
  table.person.exec("delete from outbox_queue where event = 2001");
  const auto steps = support::count_steps(table.handle(), [&] { serve(table); });

  CHECK(table.state_of(2'001) == "ready");
  CHECK(steps.all > 2'000);
  CHECK(steps.while_writing < 1'000);
}

TEST_CASE("what was queued or delivered since it was missing is not queued again") {
  Table table;
  table.add_many(4);
  table.person.exec("delete from outbox_queue where event in (1, 2, 3)");
  const outbox::storage::Unqueued found = outbox::storage::unqueued(table.handle());
  REQUIRE(found.ids == Ids{1, 2, 3});

  table.person.exec("begin");
  outbox::storage::queue_events(table.person.getHandle(), {1, 2});
  table.person.exec("commit");
  table.deliver(1);
  REQUIRE(table.state_of(1) == "delivered");
  CHECK(outbox::storage::queue_missing(table.handle(), found) == 1);
  CHECK(table.state_of(1) == "delivered");
  CHECK(table.state_of(3) == "ready");
}

TEST_CASE("a gap that was looked into is not again, whatever else the dispatcher has to note") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 2'000; ++i) table.add();
  table.app.db().exec("commit");
  table.deliver(2'000);
  table.add();
  table.person.exec(
      "delete from outbox_queue where event > 2000; delete from outbox_events where id > 2000");
  serve(table);

  const std::int64_t steps = support::steps_of(
      table.handle(), [&] { table.store.serve({.endpoint = "another"}, Table::now); });

  CHECK(steps < 1'000);
}

TEST_CASE("rows with which an erasure has filled the log are no missing events") {
  Table table;
  table.add();
  switch_triggers(table.app.db(), false);
  table.app.db().exec(
      "pragma ignore_check_constraints = on;"
      "insert into outbox_events (id, payload) values (-3, '{}'), (-2, '{}')");
  switch_triggers(table.app.db(), true);

  CHECK(outbox::storage::unqueued(table.handle()).ids.empty());
}

TEST_CASE("enqueue with triggers off is complete, and needs no dispatcher to find it") {
  Table table;
  SQLite::Database& db = table.app.db();
  switch_triggers(db, false);
  using namespace std::chrono_literals;
  db.exec("begin immediate");
  outbox::enqueue(db, support::event_of("one"), {.ordering_key = "k"});
  outbox::enqueue(db, {support::event_of("two"), support::event_of("three")},
                  {.ordering_key = "k"});
  outbox::Writer writer{db};
  writer.enqueue(support::event_of("four"),
                 {.not_before = std::chrono::system_clock::time_point{} + 5s});
  const auto first = outbox::enqueue(db, support::event_of("five"), {.dedupe_key = "d"});
  const auto second = outbox::enqueue(db, support::event_of("five"), {.dedupe_key = "d"});
  db.exec("commit");

  CHECK(second.is_duplicate);
  CHECK(second.id == first.id);
  CHECK(outbox::storage::log_gap(table.handle()) == 0);
  CHECK(
      table.app.text("select group_concat(event || coalesce(ordering_key, '') || ' ' || due_at_ms)"
                     " from (select event, ordering_key, due_at_ms from outbox_queue"
                     " order by event)") == "1k 0,2k 0,3k 0,4 5000,5 0");
  CHECK(table.number("select count(*) from outbox_queue q join outbox_events e on e.id = q.event"
                     " where q.enqueued_at_ms = e.enqueued_at_ms") == 5);
  const auto head = table.take(1);
  CHECK(Table::ids_of(head) == Ids{1});
  CHECK(table.look(9) == Ids{4, 5});
}

TEST_CASE("a rollback with triggers off leaves nothing behind, in the log or in the queue") {
  Table table;
  switch_triggers(table.app.db(), false);
  table.app.db().exec("begin immediate");
  outbox::enqueue(table.app.db(), support::event_of("u"));
  table.app.db().exec("rollback");
  CHECK(table.number("select count(*) from outbox_queue") == 0);
  CHECK(outbox::storage::log_gap(table.handle()) == 0);
}

TEST_CASE("a writer notices when triggers are switched while it lives") {
  Table table;
  SQLite::Database& db = table.app.db();
  outbox::Writer writer{db};
  for (const bool are_on : {true, false, true}) {
    switch_triggers(db, are_on);
    db.exec("begin immediate");
    writer.enqueue(support::event_of("u"));
    db.exec("commit");
  }
  CHECK(table.number("select count(*) from outbox_queue") == 3);
}

TEST_CASE(
    "what is missing is queued a few events at a time, and what comes meanwhile is not hidden") {
  constexpr int events = 500;
  Table table;
  switch_triggers(table.app.db(), false);
  switch_triggers(table.person, false);
  for (int i = 0; i < events; ++i)
    table.app.db().exec("insert into outbox_events (payload) values ('{}')");
  int looks = 0;
  const auto is_over = [&] {
    // Others can write; and one more event comes after the look, in the same way.
    if (++looks == 2) table.person.exec("insert into outbox_events (payload) values ('{}')");
    return false;
  };
  table.store.serve({.endpoint = "endpoint", .is_over = is_over}, Table::now);
  CHECK(looks == 3);
  CHECK(table.number("select count(*) from outbox_queue") == events);
  CHECK(outbox::storage::log_gap(table.handle()) == 1);

  serve(table);  // the next dispatcher
  CHECK(table.number("select count(*) from outbox_queue") == events + 1);
  CHECK(outbox::storage::log_gap(table.handle()) == 0);
}

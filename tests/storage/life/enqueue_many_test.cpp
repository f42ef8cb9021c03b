// A call of many events stores them many at a time. What that may not change.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <vector>

#include "outbox/enqueue.hpp"
#include "outbox/errors.hpp"
#include "support/database.hpp"

using namespace outbox;

namespace {

// More than two statements of many rows, and some rows more.
constexpr std::size_t many = 60;

std::vector<Event> events(std::size_t count) {
  std::vector<Event> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(support::event_of("user-" + std::to_string(i)));
  }
  return all;
}

// Whether each result names the row of its own event, and rows are in the order of the events.
void check_rows(support::AppDatabase& app, const std::vector<Enqueued>& results,
                std::size_t destinations = 1) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    CHECK(results[i].id > last);
    last = results[i].id;
    CHECK(app.count("id = " + std::to_string(last) + " and event_id = '" + results[i].event_id +
                    "' and destination = '" + results[i].destination +
                    "' and waits_as = 'ready' and payload like '%\"user-" +
                    std::to_string(i / destinations) + "\"%'") == 1);
  }
}

}  // namespace

TEST_CASE("each result of a call of many names its own row") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  const auto results = enqueue(app.db(), events(many), {.ordering_key = "k"});
  app.db().exec("commit");
  REQUIRE(results.size() == many);
  check_rows(app, results);
  CHECK(app.count("ordering_key = 'k'") == many);
}

TEST_CASE("many events for several destinations are a row for each, event by event") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  const auto results = enqueue(app.db(), events(many), {.destinations = {"track", "crm", "mail"}});
  app.db().exec("commit");
  REQUIRE(results.size() == 3 * many);
  check_rows(app, results, 3);
  CHECK(results[3].destination == "track");
  CHECK(results[4].destination == "crm");
  CHECK(app.number("select count(distinct event_id) from outbox_events") == many);
}

TEST_CASE("events of several kinds keep their own, among many") {
  support::AppDatabase app;
  std::vector<Event> all;
  for (std::size_t i = 0; i < many; ++i) {
    if (i % 2 == 0) all.push_back(support::event_of("tracked"));
    if (i % 2 == 1) all.push_back(Identify{.user_id = "identified"});
  }
  app.db().exec("begin immediate");
  enqueue(app.db(), all);
  app.db().exec("commit");
  CHECK(app.count("kind is null and payload like '%tracked%'") == many / 2);
  CHECK(app.count("kind = 'identify' and payload like '%identified%'") == many / 2);
}

TEST_CASE("a trigger of the host's that stores events too takes no result of another's") {
  support::AppDatabase app;
  app.db().exec(
      "create trigger copies after insert on outbox_events when new.destination = 'track' begin"
      " insert into outbox_events (destination, payload) values ('crm', new.payload); end");
  app.db().exec("begin immediate");
  const auto results = enqueue(app.db(), events(many));
  app.db().exec("commit");
  REQUIRE(results.size() == many);
  check_rows(app, results);
  CHECK(app.count("destination = 'crm'") == many);
}

TEST_CASE("when one of many is not stored, none is, and the transaction goes on") {
  support::AppDatabase app;
  for (const char* const what : {"ignore", "fail, 'no'", "abort, 'no'"}) {
    CAPTURE(what);
    app.db().exec(std::string{"create trigger host before insert on outbox_events"
                              " when new.payload like '%user-40%' begin select raise("} +
                  what + "); end");
    app.db().exec("begin immediate");
    enqueue(app.db(), support::event_of("before"));
    CHECK_THROWS_AS(enqueue(app.db(), events(many)), database_error);
    CHECK(app.count("true") == 1);
    CHECK(app.number("select count(*) from outbox_queue") == 1);
    app.db().exec("rollback; drop trigger host");
  }
}

TEST_CASE("a host's low limit of values in a statement holds up nothing") {
  support::AppDatabase app;
  // As sqlite.org/security.html advises where others may write SQL.
  sqlite3_limit(app.db().getHandle(), SQLITE_LIMIT_VARIABLE_NUMBER, 10);
  sqlite3_limit(app.db().getHandle(), SQLITE_LIMIT_COMPOUND_SELECT, 3);
  app.db().exec("begin immediate");
  check_rows(app, enqueue(app.db(), events(many)));
  app.db().exec("commit");
  CHECK(app.count("true") == many);
}

TEST_CASE("many events are queued with triggers off, and a writer notices when they are switched") {
  support::AppDatabase app;
  Writer writer{app.db()};
  for (const int has_triggers : {1, 0, 1}) {
    sqlite3_db_config(app.db().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, has_triggers, nullptr);
    app.db().exec("begin immediate");
    check_rows(app, writer.enqueue(events(many)));
    app.db().exec("commit");
  }
  CHECK(app.number("select count(*) from outbox_queue") == 3 * many);
}

TEST_CASE("a host that lets statements count their changes gets the ids all the same") {
  support::AppDatabase app;
  app.db().exec("pragma count_changes = on");
  for (const int has_triggers : {1, 0}) {
    sqlite3_db_config(app.db().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, has_triggers, nullptr);
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, many}) {
      sqlite3_exec(app.db().getHandle(), "begin immediate", nullptr, nullptr, nullptr);
      check_rows(app, enqueue(app.db(), events(count)));
      sqlite3_exec(app.db().getHandle(), "commit", nullptr, nullptr, nullptr);
    }
  }
  app.db().exec("begin immediate");
  const Enqueued first = enqueue(app.db(), support::event_of("user-0"), {.dedupe_key = "once"});
  check_rows(app, {first});
  app.db().exec("commit");
}

TEST_CASE("last_insert_rowid is put back after many") {
  support::AppDatabase app;
  app.db().exec("create table rows (id integer primary key); begin; insert into rows values (77)");
  enqueue(app.db(), events(many));
  CHECK(sqlite3_last_insert_rowid(app.db().getHandle()) == 77);
  app.db().exec("commit");
}

#include "outbox/migrate.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "support/database.hpp"

namespace {

SQLite::Database open_plain(const std::string& path) {
  return SQLite::Database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
}

std::string schema_of(SQLite::Database& db) {
  return db
      .execAndGet("select group_concat(name) from (select name from sqlite_schema order by name)")
      .getString();
}

}  // namespace

TEST_CASE("a new database gets the whole schema, and a second time nothing happens") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));
  CHECK(outbox::migrated_version(db) == 0);

  CHECK(outbox::migrate(db) == outbox::schema_version());
  const std::string schema = schema_of(db);
  const int changes = sqlite3_total_changes(db.getHandle());
  CHECK(outbox::migrate(db) == outbox::schema_version());

  CHECK(outbox::migrated_version(db) == outbox::schema_version());
  CHECK(schema_of(db) == schema);
  CHECK(sqlite3_total_changes(db.getHandle()) == changes);
  for (const char* name :
       {"table outbox_events", "table outbox_queue", "table outbox_destinations",
        "table outbox_requests", "table outbox_audit", "table outbox_migrations",
        "view outbox_event_states", "trigger outbox_enqueue", "index outbox_dedupe",
        "index outbox_queue_keys", "index outbox_queue_dead_keys"}) {
    CAPTURE(name);
    SQLite::Statement there{db, "select 1 from sqlite_schema where type || ' ' || name = ?"};
    there.bind(1, name);
    CHECK(there.executeStep());
  }
}

TEST_CASE("a migration leaves the host's version, journal mode and pragmas as they are") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));
  db.exec("pragma user_version = 42; pragma application_id = 7; pragma auto_vacuum = full");
  db.exec("create table own (x)");

  outbox::migrate(db);

  CHECK(db.execAndGet("pragma user_version").getInt() == 42);
  CHECK(db.execAndGet("pragma application_id").getInt() == 7);
  CHECK(db.execAndGet("pragma journal_mode").getString() == "delete");
  CHECK(db.execAndGet("pragma busy_timeout").getInt() == 0);
}

TEST_CASE("a table that is something else is named, and nothing is read from it") {
  for (const char* const replacement :
       {"create view NAME as with recursive n (i) as (select 1 union all select i from n)"
        " select i as id, i as version from n",
        "create virtual table NAME using fts5(version)"}) {
    for (const char* const table : {"outbox_events", "outbox_queue", "outbox_destinations",
                                    "outbox_requests", "outbox_audit", "outbox_migrations"}) {
      CAPTURE(replacement);
      CAPTURE(table);
      support::AppDatabase app;
      app.db().exec("drop view outbox_event_states; drop table " + std::string{table});
      std::string sql = replacement;
      app.db().exec(sql.replace(sql.find("NAME"), 4, table));
      const std::string expected = std::string{table} + " is not an ordinary table";
      CHECK_THROWS_WITH_AS(outbox::status(app.db()), doctest::Contains(expected.c_str()),
                           outbox::schema_error);
      CHECK_THROWS_WITH_AS(outbox::migrate(app.db()), doctest::Contains(expected.c_str()),
                           outbox::schema_error);
    }
  }
}

TEST_CASE("a database with missing tables is not used") {
  support::AppDatabase app;
  app.db().exec("drop table outbox_audit; drop table outbox_queue");
  const doctest::Contains named{"without outbox_queue, outbox_audit the schema is not whole"};
  CHECK_THROWS_WITH_AS(outbox::status(app.db()), named, outbox::schema_error);
  CHECK_THROWS_WITH_AS(outbox::migrate(app.db()), named, outbox::schema_error);
}

TEST_CASE("a version beyond 32 bits is newer, not older") {
  support::AppDatabase app;
  app.db().exec("insert into outbox_migrations values (4294967297, 'x', 0, 'x')");
  CHECK_THROWS_WITH_AS(outbox::status(app.db()), doctest::Contains("schema 4294967297"),
                       outbox::schema_error);
  CHECK_THROWS_AS(outbox::migrate(app.db()), outbox::schema_error);
}

TEST_CASE("a migration works with trusted_schema off, and so do a plain insert and the view") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));
  db.exec("pragma trusted_schema = off");

  outbox::migrate(db);
  db.exec("insert into outbox_events (payload) values ('{}')");

  CHECK(db.execAndGet("select length(event_id) from outbox_events").getInt() == 32);
  CHECK(db.execAndGet("select state || waits_as from outbox_event_states").getString() ==
        "pendingready");
  CHECK(
      db.execAndGet("select abs(enqueued_at_ms - strftime('%s') * 1000) < 60000 from outbox_events")
          .getInt() == 1);
}

TEST_CASE("a migration inside the host's transaction commits and rolls back with it") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));

  db.exec("begin");
  outbox::migrate(db);
  db.exec("rollback");
  CHECK(schema_of(db).empty());

  db.exec("begin immediate");
  outbox::migrate(db);
  CHECK(sqlite3_get_autocommit(db.getHandle()) == 0);
  db.exec("commit");
  CHECK(outbox::migrated_version(db) == outbox::schema_version());
}

TEST_CASE("a newer schema is refused, clearly, and is not touched") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));
  outbox::migrate(db);
  db.exec("insert into outbox_migrations values (99, '0099_future', 0, '9.9.9')");

  CHECK_THROWS_WITH_AS(outbox::migrate(db),
                       doctest::Contains("the database has schema 99, this library"),
                       outbox::schema_error);
  CHECK_THROWS_AS(outbox::status(db), outbox::schema_error);
  CHECK(outbox::migrated_version(db) == 99);
}

TEST_CASE("temporary tables of the same names neither swallow events nor hide them") {
  support::AppDatabase app;
  app.db().exec(
      "create temp table outbox_events (payload); create temp table outbox_queue (state)");

  app.enqueue(support::amy());

  CHECK(app.db().execAndGet("select count(*) from main.outbox_events").getInt() == 1);
  CHECK(app.db().execAndGet("select count(*) from main.outbox_queue").getInt() == 1);
  CHECK(app.db().execAndGet("select count(*) from temp.outbox_queue").getInt() == 0);
  CHECK(app.count("state = 'pending'") == 1);
}

TEST_CASE("the view says of each event how it is, in words") {
  support::AppDatabase app;
  for (int i = 0; i < 7; ++i) app.insert("{}");
  app.db().exec(
      "delete from outbox_queue where event = 7;"
      " update outbox_queue set state = event - 1, refusals = iif(event = 4, 2, null),"
      " last_error = iif(event = 5, 'why', null), settled_at_ms = iif(event = 5, 77, null)");
  CHECK(app.text("select group_concat(state || coalesce(':' || waits_as, '')) from"
                 " (select state, waits_as from outbox_event_states order by id)") ==
        "pending:ready,pending:waiting,pending:in search,pending:suspect,dead,discarded,delivered");
  CHECK(app.count("refusals = 2 and solo_failures = 0") == 1);
  CHECK(app.count("state = 'dead' and last_error = 'why' and settled_at_ms = 77") == 1);
  CHECK(app.count("refusals = 0 and last_error is null") == 5);
}

TEST_CASE("of eight processes that migrate at once, one does it and none fails") {
  support::TemporaryFolder folder;
  for (int repetition = 0; repetition < 10; ++repetition) {
    const std::string path = folder.file("app" + std::to_string(repetition) + ".db");
    int gate[2];
    REQUIRE(pipe(gate) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        close(gate[1]);
        char none = 0;
        const ssize_t opened = read(gate[0], &none, 1);  // until the parent closes its end
        static_cast<void>(opened);
        int result = 1;
        try {
          SQLite::Database db = open_plain(path);
          result = outbox::migrate(db) == outbox::schema_version() ? 0 : 2;
        } catch (const std::exception& error) {
          std::fprintf(stderr, "%s\n", error.what());
        }
        _exit(result);
      }
      children.push_back(child);
    }
    close(gate[0]);
    close(gate[1]);
    for (const pid_t child : children) {
      int status = -1;
      waitpid(child, &status, 0);
      CHECK(status == 0);
    }
    SQLite::Database db = open_plain(path);
    CHECK(db.execAndGet("select count(*) from outbox_migrations").getInt() == 1);
    CHECK(db.execAndGet("pragma integrity_check").getString() == "ok");
  }
}

TEST_CASE("whoever looks into a database that is not migrated is told so") {
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE};
  CHECK_THROWS_AS(outbox::status(db), outbox::schema_error);
  CHECK_THROWS_AS(outbox::list_events(db, {}), outbox::schema_error);
  CHECK_THROWS_AS(outbox::list_requests(db), outbox::schema_error);
  CHECK_THROWS_AS(outbox::explain(db, 1), outbox::schema_error);
  CHECK_THROWS_AS(outbox::diagnose(db), outbox::schema_error);
}

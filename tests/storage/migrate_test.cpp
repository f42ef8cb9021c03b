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

TEST_CASE("a new database gets every table, and a second time nothing happens") {
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
  for (const char* table : {"outbox_events", "outbox_destinations", "outbox_batches",
                            "outbox_audit", "outbox_migrations"}) {
    CAPTURE(table);
    CHECK(db.tableExists(table));
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

TEST_CASE("a migration works with trusted_schema off, and so does a plain insert") {
  support::TemporaryFolder folder;
  SQLite::Database db = open_plain(folder.file("app.db"));
  db.exec("pragma trusted_schema = off");

  outbox::migrate(db);
  db.exec("insert into outbox_events (payload) values ('{}')");

  CHECK(db.execAndGet("select length(event_id) from outbox_events").getInt() == 32);
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

TEST_CASE("a temporary table of the same name does not swallow events") {
  support::AppDatabase app;
  app.db().exec("create temp table outbox_events (payload)");

  app.enqueue(support::amy());

  CHECK(app.db().execAndGet("select count(*) from main.outbox_events").getInt() == 1);
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

// The log is a contract: any SQLite client can enqueue by one INSERT. docs/schema.md tells how.

#include <doctest/doctest.h>

#include <map>

#include "support/database.hpp"

TEST_CASE("an insert that names the payload alone is a complete enqueue") {
  support::AppDatabase app;
  app.db().exec(
      "insert into outbox_events (payload) values (json_object('event_name', 'signed_up',"
      " 'user_id', 'u', 'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ')))");
  CHECK(app.count("state = 'pending' and waits_as = 'ready' and destination = 'track'"
                  " and due_at_ms = 0 and refusals = 0 and kind is null"
                  " and length(event_id) = 32 and enqueued_at_ms > 0") == 1);
  CHECK(app.text("select validated from outbox_events") == "0");
}

TEST_CASE("what an insert says of an event is in its row of the queue too") {
  support::AppDatabase app;
  app.db().exec(
      "insert into outbox_events (payload, destination, kind, headers, ordering_key, dedupe_key,"
      " due_at_ms, enqueued_at_ms) values ('{}', 'eu', 'identify', '{\"tenant\":\"a\"}', 'k', 'd',"
      " 500, 77)");
  CHECK(app.text("select event || destination || state || ordering_key || due_at_ms || ' ' ||"
                 " enqueued_at_ms from outbox_queue") == "1eu0k500 77");
}

TEST_CASE("the row of the queue costs a client neither its rowid nor its count of changes") {
  support::AppDatabase app;
  SQLite::Database& db = app.db();
  std::map<std::string, int> updates;
  const auto hook = [](void* context, int, const char*, const char* table, sqlite3_int64) {
    ++(*static_cast<std::map<std::string, int>*>(context))[table];
  };
  sqlite3_update_hook(db.getHandle(), hook, &updates);
  db.exec("insert into outbox_events (payload) values ('{}'), ('{}'), ('{}')");
  sqlite3_update_hook(db.getHandle(), nullptr, nullptr);

  CHECK(db.getLastInsertRowid() == 3);
  CHECK(sqlite3_changes(db.getHandle()) == 3);
  CHECK(updates == std::map<std::string, int>{{"outbox_events", 3}});
  CHECK(app.text("select count(*) from outbox_queue") == "3");
}

TEST_CASE("the CHECKs refuse what can never be an event") {
  support::AppDatabase app;
  for (const char* values :
       {"('[]', 'track', 0)", "('', 'track', 0)", "(' {}', 'track', 0)", "(null, 'track', 0)",
        "(x'7B7D', 'track', 0)", "('{}', 'Track', 0)", "('{}', '', 0)", "('{}', '_a', 0)",
        "('{}', 'a b', 0)", "('{}', 'a/b', 0)", "('{}', 'track', -1)", "('{}', 'track', 'soon')",
        "('{' || char(0) || '}', 'track', 0)", "('{}', 'track' || char(0) || 'x', 0)",
        "('{}', 'a23456789012345678901234567890123', 0)"}) {
    CAPTURE(values);
    CHECK_THROWS_AS(
        app.db().exec(
            std::string{"insert into outbox_events (payload, destination, due_at_ms) values "} +
            values),
        SQLite::Exception);
  }
  app.db().exec("insert into outbox_events (payload, destination) values ('{}', '0_track-eu')");
  CHECK(app.count("true") == 1);
}

TEST_CASE("a kind, headers and keys have their limits") {
  support::AppDatabase app;
  struct Row {
    const char* column;
    std::size_t most;
  };
  for (const Row& row :
       {Row{"kind", 64}, Row{"headers", 4'096}, Row{"ordering_key", 256}, Row{"dedupe_key", 256}}) {
    CAPTURE(row.column);
    const auto insert = [&](std::size_t length) {
      app.db().exec(std::string{"insert into outbox_events (payload, "} + row.column +
                    ") values ('{}', '" + std::string(length, 'x') + "')");
    };
    CHECK_THROWS_AS(insert(0), SQLite::Exception);
    CHECK_NOTHROW(insert(row.most));
    CHECK_THROWS_AS(insert(row.most + 1), SQLite::Exception);
    CHECK_THROWS_AS(app.db().exec(std::string{"insert into outbox_events (payload, "} + row.column +
                                  ") values ('{}', 'xx' || char(0) || 'x')"),
                    SQLite::Exception);
  }
}

TEST_CASE("ids are commit order, so that one of someone's own choosing must be above zero") {
  support::AppDatabase app;
  for (const char* id : {"0", "-5"}) {
    CAPTURE(id);
    CHECK_THROWS_AS(app.db().exec(std::string{"insert into outbox_events (id, payload) values ("} +
                                  id + ", '{}')"),
                    SQLite::Exception);
  }
  app.db().exec("insert into outbox_events (id, payload) values (7, '{}')");
  CHECK(app.insert("{}") == 8);
}

TEST_CASE("a second event with the same dedupe key can be left out by plain SQL too") {
  support::AppDatabase app;
  for (int i = 0; i < 2; ++i) {
    app.db().exec("insert or ignore into outbox_events (payload, dedupe_key) values ('{}', 'k')");
  }
  CHECK(app.count("true") == 1);
  CHECK(app.text("select count(*) from outbox_queue") == "1");
}

// An erasure is complete, and small in its steps, whatever the host and others do to the file.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "guarantees/forgotten_person.hpp"
#include "support/database.hpp"

using namespace forgotten;

namespace {

using Act = std::function<void()>;

// The database with `act` before each statement of the erasure that finds no transaction open:
// there others may write.
outbox::DatabaseFile with_others(const support::AppDatabase& app, Act* act) {
  return {app.path(), "", [act](sqlite3* db) {
            const auto call = [](unsigned, void* context, void* statement, void*) {
              sqlite3* const own = sqlite3_db_handle(static_cast<sqlite3_stmt*>(statement));
              const bool is_free = sqlite3_txn_state(own, "main") == SQLITE_TXN_NONE;
              if (is_free) (*static_cast<Act*>(context))();
              return 0;
            };
            sqlite3_trace_v2(db, SQLITE_TRACE_STMT, call, act);
          }};
}

void insert_events(support::AppDatabase& app, int count, const std::string& key = "null") {
  app.db().exec("with recursive n (i) as (select 1 union all select i + 1 from n where i < " +
                std::to_string(count) +
                ") insert into outbox_events (payload, ordering_key) select"
                " json_object('event_name', 'x', 'user_id', 'user-' || i), " +
                key + " from n");
}

// More than one window, so that the root of the log is filled.
void insert_windows(support::AppDatabase& app) {
  app.db().exec(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1500)"
      " insert into outbox_events (payload) select json_object('user_id', 'user-' || i,"
      " 'filling', printf('%2000s', '')) from n");
}

// What the transactions of an erasure write at most.
struct Largest {
  sqlite3* db = nullptr;
  std::int64_t changes = 0;   // of rows, in one transaction
  std::int64_t log_rows = 0;  // put back into the log, in one transaction
  std::int64_t seen = 0;      // changes at the last commit
  std::int64_t log_seen = 0;  // since the last commit

  outbox::DatabaseFile watch(const support::AppDatabase& app) {
    return {app.path(), "", [this](sqlite3* opened) {
              db = opened;
              sqlite3_update_hook(
                  db,
                  [](void* self, int operation, const char*, const char* table, sqlite3_int64 id) {
                    const bool is_put_back = operation == SQLITE_INSERT && id > 0 &&
                                             std::string{table} == "outbox_events";
                    if (is_put_back) ++static_cast<Largest*>(self)->log_seen;
                  },
                  this);
              sqlite3_commit_hook(
                  db, [](void* self) { return static_cast<Largest*>(self)->commit(); }, this);
            }};
  }

 private:
  int commit() {
    const std::int64_t now = sqlite3_total_changes(db);
    changes = std::max(changes, now - seen);
    log_rows = std::max(log_rows, log_seen);
    seen = now;
    log_seen = 0;
    return 0;
  }
};

}  // namespace

TEST_CASE("what the host has made of the columns of an event does not stop an erasure") {
  for (const char* const sql :
       {"alter table outbox_events add column user text generated always as"
        " (json_extract(payload, '$.user_id')) virtual",
        "alter table outbox_events add column user text generated always as"
        " (json_extract(payload, '$.user_id')) virtual not null",
        "create index by_user on outbox_events (json_extract(payload, '$.user_id'))",
        "create unique index one_id on outbox_events (destination, event_id)",
        "create unique index one_place on outbox_queue (event)"}) {
    CAPTURE(sql);
    support::AppDatabase app;
    app.db().exec(sql);
    insert_events(app, 10'100);

    CHECK(outbox::erase(app.path(), outbox::Subject::user("user-7")).events == 1);

    CHECK(app.number("select count(*) from outbox_events") == 10'099);
    CHECK(app.number("select count(*) from outbox_queue") == 10'099);
    CHECK(app.text("pragma integrity_check") == "ok");
  }
}

TEST_CASE("an erasure ends, and the file stays small, while the host frees pages all the time") {
  support::AppDatabase app;
  app.db().exec("create table old (filling)");
  app.enqueue(support::amy());
  app.db().exec(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 300)"
      " insert into old select zeroblob(3000) from n");
  const std::int64_t before = app.number("pragma page_count");
  Act free_one = [&] {
    app.db().exec("delete from old where rowid = (select min(rowid) from old)");
  };

  CHECK(
      outbox::erase(with_others(app, &free_one), outbox::Subject::user("nobody")).is_wal_truncated);

  CHECK(app.number("pragma page_count") - before < 5'000);
}

TEST_CASE("two erasures at once do not meet in the rows with which they fill the log") {
  support::AppDatabase app;
  insert_windows(app);
  SQLite::Database other = app.connect();
  other.exec("pragma ignore_check_constraints = on");
  int inserted = 0;
  Act fill = [&] {
    const auto lowest = other.execAndGet("select min(id) from outbox_events").getInt64();
    if (lowest >= 0 || inserted == 3) return;
    other.exec("insert into outbox_events (id, payload) values (" + std::to_string(lowest - 1) +
               ", '{}'); delete from outbox_queue where event < 0");
    ++inserted;
  };

  CHECK(outbox::erase(with_others(app, &fill), outbox::Subject::user("user-7")).events == 1);

  CHECK(inserted == 3);
  CHECK(app.number("select count(*) from outbox_events") == 1'499);
}

TEST_CASE("an erasure that ends does not leave the log of another one half filled") {
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  for (int i = 0; i < 10; ++i) {
    app.enqueue(outbox::InviteSent{.user_id = "inviter",
                                   .group_id = "group",
                                   .invitee = {.email = email,
                                               .first_name = first_name,
                                               .last_name = last_name,
                                               .role = "Developer"},
                                   .feature_name = "f"});
  }
  app.db().exec(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 50)"
      " insert into outbox_events (payload) select json_object('user_id', 'tom', 'filling',"
      " printf('%200000s', '')) from n");
  REQUIRE_FALSE(traces_in(app.folder().path()).empty());
  SQLite::Database other = app.connect();
  other.exec("pragma secure_delete = on");
  std::int64_t removed = 0;
  Act remove = [&] {
    if (removed > 0) return;
    const auto filled = other.execAndGet("select count(*) from outbox_events where id < 0");
    if (filled.getInt64() > 0) removed = other.exec("delete from outbox_events where id < 0");
  };

  CHECK(outbox::erase(with_others(app, &remove), outbox::Subject::email(email)).events == 10);

  CHECK(removed > 0);
  CHECK(traces_in(app.folder().path()) == "");
}

TEST_CASE("an erasure fills nothing where no page is free") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  app.db().exec("pragma wal_checkpoint(truncate)");
  const auto before = std::filesystem::file_size(app.path());
  CHECK(outbox::erase(app.path(), outbox::Subject::email("amy@achme.com")).events == 1);
  CHECK(std::filesystem::file_size(app.path()) < before + 100'000);
}

TEST_CASE("a step of an erasure is small for rows with keys, and for large ones") {
  SUBCASE("keys") {
    support::AppDatabase app;
    insert_events(app, 6'000, "printf('%036d', i * 7919 % 10007)");
    Largest largest;
    CHECK(outbox::erase(largest.watch(app), outbox::Subject::user("nobody")).events == 0);
    CHECK(largest.changes < 8'000);
  }
  SUBCASE("large") {
    support::AppDatabase app;
    app.db().exec(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 60)"
        " insert into outbox_events (payload) select json_object('a', printf('%200000s', ''))"
        " from n");
    Largest largest;
    CHECK(outbox::erase(largest.watch(app), outbox::Subject::user("nobody")).events == 0);
    CHECK(largest.log_rows <= 16);
  }
  SUBCASE("large, of letters that have several bytes") {
    support::AppDatabase app;
    app.db().exec(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 200)"
        " insert into outbox_events (payload, headers) select json_object('a',"
        " replace(printf('%10000s', ''), ' ', '\xE2\x82\xAC')), json_object('h',"
        " printf('%4000s', '')) from n");
    Largest largest;
    CHECK(outbox::erase(largest.watch(app), outbox::Subject::user("nobody")).events == 0);
    CHECK(largest.log_rows <= 40);
  }
}

TEST_CASE("what was deleted long ago is not found where two steps meet, either") {
  support::AppDatabase app;
  app.db().exec(
      "pragma secure_delete = off;"
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)"
      " insert into outbox_events (payload, ordering_key) select json_object('user_id', i, 'of',"
      " iif(i % 3 = 1, '" +
      email + "', 'tom'), 'filling', printf('%300s', '')), iif(i % 3 = 1, '" + email +
      "', 'tom') || i from n;"
      "delete from outbox_queue where event % 3 = 1 and event > 1; delete from outbox_events where "
      "id % 3 = 1 and id > 1");
  REQUIRE_FALSE(traces_in(app.folder().path()).empty());

  CHECK(outbox::erase(app.path(), outbox::Subject::email(email)).events == 1);

  CHECK(traces_in(app.folder().path()) == "");
}

TEST_CASE("an erasure beside a reader rewrites nothing, since the WAL would only grow") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  insert_windows(app);
  app.db().exec("pragma wal_checkpoint(truncate)");
  SQLite::Database reader = app.connect();
  reader.exec("begin; select count(*) from outbox_events");
  const auto erase = [&] {
    return outbox::erase(app.path(), outbox::Subject::email("amy@achme.com"), {},
                         outbox::Mode::apply, std::chrono::milliseconds{1});
  };

  for (int i = 0; i < 2; ++i) CHECK_FALSE(erase().is_wal_truncated);
  CHECK(std::filesystem::file_size(app.path() + "-wal") < 1'000'000);

  reader.exec("commit");
  CHECK(erase().is_wal_truncated);
  CHECK(app.number("select count(*) from outbox_audit where action <> 'erase'") == 0);
}

TEST_CASE("whose an erasure was that stopped is not known, so that all answers are forgotten") {
  support::AppDatabase app;
  app.enqueue_many(2);
  app.db().exec(
      "update outbox_queue set state = 4, settled_at_ms = 1, last_error = 'amy-7 is here twice';"
      "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, bytes, outcome, reason) values ('track', 1, 1, 1, 1, 1, '1', 9, 'refused',"
      " 'amy-7 is here twice')");
  const auto said = [&app] {
    return app.text(
        "select coalesce(reason, '-') || ', ' || (select group_concat(last_error, ', ')"
        " from outbox_queue) from outbox_requests");
  };
  const auto erase = [&app] { outbox::erase(app.path(), outbox::Subject::user("zoe-1")); };
  const auto leave_list = [&app](const char* reason) {
    app.db().exec(
        std::string{"insert into outbox_audit (at_ms, action, actor, subject, events, reason)"
                    " values (1, 'erase (unfinished)', 'app', '99', 0, "} +
        reason + ")");
  };

  erase();
  CHECK(said() == "amy-7 is here twice, amy-7 is here twice, amy-7 is here twice");
  leave_list("'answers are forgotten'");  // only its pages are left to do
  erase();
  CHECK(said() == "amy-7 is here twice, amy-7 is here twice, amy-7 is here twice");
  leave_list("null");
  erase();
  CHECK(said() == "-, the reason was erased, the reason was erased");
}

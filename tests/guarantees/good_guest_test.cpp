// The promise of a good guest: whatever the host has set on its connection is as it was after every
// call of the library.

#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "support/database.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;

namespace {

int marker = 0;
int on_commit(void*) {
  return 0;
}
int rollbacks = 0;
void on_rollback(void*) {
  ++rollbacks;
}
void on_update(void*, int, const char*, const char*, sqlite3_int64) {}
int on_wal(void*, sqlite3*, const char*, int) {
  return SQLITE_OK;
}
int on_busy(void* tries_seen, int tries) {
  ++*static_cast<int*>(tries_seen);
  return tries < 3;
}

constexpr const char* pragmas[] = {"application_id",
                                   "auto_vacuum",
                                   "automatic_index",
                                   "busy_timeout",
                                   "cache_size",
                                   "cache_spill",
                                   "cell_size_check",
                                   "checkpoint_fullfsync",
                                   "defer_foreign_keys",
                                   "encoding",
                                   "foreign_keys",
                                   "fullfsync",
                                   "ignore_check_constraints",
                                   "journal_mode",
                                   "journal_size_limit",
                                   "legacy_alter_table",
                                   "locking_mode",
                                   "max_page_count",
                                   "mmap_size",
                                   "page_size",
                                   "query_only",
                                   "read_uncommitted",
                                   "recursive_triggers",
                                   "reverse_unordered_selects",
                                   "secure_delete",
                                   "synchronous",
                                   "temp_store",
                                   "threads",
                                   "trusted_schema",
                                   "user_version",
                                   "writable_schema"};

class Host {
 public:
  Host() {
    db().exec(
        "pragma user_version = 77; pragma application_id = 5; pragma synchronous = full;"
        "pragma foreign_keys = on; pragma cache_size = -3000; pragma secure_delete = off;"
        "pragma recursive_triggers = on; pragma trusted_schema = off;"
        "create table own (id integer primary key); insert into own values (4711)");
    sqlite3_commit_hook(handle(), on_commit, &marker);
    sqlite3_rollback_hook(handle(), on_rollback, &marker);
    sqlite3_update_hook(handle(), on_update, &marker);
    sqlite3_wal_hook(handle(), on_wal, &marker);
    sqlite3_busy_handler(handle(), on_busy, &busy_calls_);
  }

  void check_unchanged_after(const std::string& call, const std::function<void()>& action) {
    CAPTURE(call);
    const std::map<std::string, std::string> before = settings();
    const auto rowid = db().getLastInsertRowid();
    const int autocommit = sqlite3_get_autocommit(handle());
    try {
      action();
    } catch (const std::exception&) {
      // What a failing call leaves behind counts as much.
    }
    CHECK(settings() == before);
    CHECK(db().getLastInsertRowid() == rowid);
    CHECK(sqlite3_get_autocommit(handle()) == autocommit);
    check_hooks();
  }

  void check_busy_handler() {
    SQLite::Database other = app_.connect();
    other.exec("begin immediate");
    const int before = busy_calls_;
    CHECK_THROWS(db().exec("insert into own values (null)"));
    CHECK(busy_calls_ == before + 4);
    other.exec("rollback");
  }

  SQLite::Database& db() { return app_.db(); }
  sqlite3* handle() { return app_.db().getHandle(); }
  std::string path() const { return app_.path(); }

 private:
  // Each returns the former argument; the same hook is put back at once.
  void check_hooks() {
    CHECK(sqlite3_commit_hook(handle(), on_commit, &marker) == &marker);
    CHECK(sqlite3_rollback_hook(handle(), on_rollback, &marker) == &marker);
    CHECK(sqlite3_update_hook(handle(), on_update, &marker) == &marker);
    CHECK(sqlite3_wal_hook(handle(), on_wal, &marker) == &marker);
  }

  std::map<std::string, std::string> settings() {
    std::map<std::string, std::string> values;
    for (const char* name : pragmas) {
      SQLite::Statement pragma{db(), std::string{"pragma "} + name};
      values[name] = pragma.executeStep() ? pragma.getColumn(0).getString() : "";
    }
    return values;
  }

  support::AppDatabase app_;
  int busy_calls_ = 0;
};

}  // namespace

TEST_CASE("the host's hooks, pragmas, busy handler, transaction and rowid survive every call") {
  track_server::TrackServer server;
  Host host;
  const Endpoint endpoint = support::endpoint_of(server);
  const auto in_transaction = [&](const std::function<void()>& action) {
    host.db().exec("begin immediate");
    host.check_unchanged_after("in a transaction", action);
    host.db().exec("commit");
  };

  host.check_unchanged_after("migrate", [&] { migrate(host.db()); });
  host.check_unchanged_after("migrated_version",
                             [&] { static_cast<void>(migrated_version(host.db())); });
  host.check_unchanged_after("check_host", [&] { static_cast<void>(check_host(host.db())); });
  host.check_unchanged_after("enqueue outside", [&] { enqueue(host.db(), support::amy()); });
  in_transaction([&] { enqueue(host.db(), support::amy()); });
  in_transaction([&] { enqueue(host.db(), {support::amy(), support::event_of("u")}); });
  in_transaction([&] { enqueue(host.db(), support::amy(), {.dedupe_key = "k"}); });
  in_transaction([&] { enqueue(host.db(), support::amy(), {.dedupe_key = "k"}); });
  in_transaction([&] { enqueue(host.db(), {support::amy(), support::event_of("")}); });
  in_transaction([&] { Writer{host.db()}.enqueue(support::amy()); });
  in_transaction([&] { migrate(host.db()); });
  in_transaction([&] { static_cast<void>(status(host.db())); });
  in_transaction([&] { pause(host.db(), "track", {.reason = "why"}); });
  in_transaction([&] { deliver_once(host.db(), endpoint); });
  host.check_unchanged_after("status", [&] { static_cast<void>(status(host.db())); });
  host.check_unchanged_after("resume", [&] { resume(host.db(), "track"); });
  host.check_unchanged_after("nudge", [&] { nudge(host.db()); });
  host.check_unchanged_after("deliver_once", [&] { deliver_once(host.db(), endpoint); });
  host.check_unchanged_after("a dispatcher", [&] {
    Dispatcher{host.path(), track_api({.url = server.url()})};
  });
  CHECK(rollbacks == 0);  // nothing of all that rolled anything back, reading the status neither
  host.check_busy_handler();

  CHECK(server.event_count() == 5);
}

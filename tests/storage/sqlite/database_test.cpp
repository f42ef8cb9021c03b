#include "storage/sqlite/database.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "outbox/errors.hpp"
#include "outbox/metrics.hpp"
#include "outbox/testing.hpp"
#include "storage/sqlite/statement.hpp"
#include "support/database.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;

namespace {

std::string error_of(const DatabaseFile& file) {
  try {
    const auto database = storage::open_database(storage::with_absolute_path(file));
    return "none";
  } catch (const std::exception& error) {
    return error.what();
  }
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// What the CLI says as a user who is not root. Root may write everything, so it steps down first.
std::string said_as_nobody(const std::string& db) {
  const support::Finished finished = support::run(
      {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", OUTBOX_CLI, "drain",
       "--db", db, "--url", "http://127.0.0.1:1/", "--allow-other-user"},
      {{"OUTBOX_TOKEN", "t"}});
  CHECK(finished.code == 1);
  return finished.err;
}

}  // namespace

TEST_CASE("the dispatcher's own connection is set up for its work, in WAL") {
  support::AppDatabase app;
  const auto database = storage::open_database(app.path());
  sqlite3* const db = storage::handle_of(database);
  const auto pragma = [db](const char* name) {
    return storage::query_text(db, (std::string{"pragma "} + name).c_str(), "test");
  };
  CHECK(pragma("synchronous") == "1");
  CHECK(pragma("secure_delete") == "1");
  CHECK(pragma("mmap_size") == "0");
}

// With trusted_schema=OFF SQLite 3.40 reads no schema that has one of them.
TEST_CASE("functions in the app's own tables do not end the dispatcher's work, or people's") {
  support::AppDatabase app;
  app.enqueue_many(2);
  app.db().exec(
      "create table prefs (data text check (json_valid(data)), user as (json_extract(data, "
      "'$.u')));"
      "create index prefs_of on prefs (json_extract(data, '$.u'));"
      "create trigger told after insert on outbox_requests begin"
      " insert into prefs (data) values (json_object('u', new.id)); end");
  testing::RecordingEndpoint endpoint;
  CHECK(deliver_once(DatabaseFile{app.path()}, endpoint.endpoint()).delivered == 2);
  CHECK(app.number("select user from prefs") == 1);
  CHECK(erase(app.path(), Subject::user("user-0")).events == 1);
  CHECK(prune(app.path(), {}) == 0);  // it is too young
}

TEST_CASE("outside of WAL synchronous stays what it is") {
  support::AppDatabase app;
  app.db().exec("pragma journal_mode = delete");
  const auto database = storage::open_database(app.path());
  CHECK(storage::query_text(storage::handle_of(database), "pragma synchronous", "test") == "2");
}

TEST_CASE("a recipe runs after every open, and its failure is the open's failure") {
  support::AppDatabase app;
  int opens = 0;
  const DatabaseFile counted{app.path(), "", [&opens](sqlite3*) { ++opens; }};
  CHECK(error_of(counted) == "none");
  CHECK(opens == 1);
  CHECK(error_of({app.path(), "", [](sqlite3*) { throw std::runtime_error{"no key"}; }}) ==
        "no key");
  CHECK(error_of({app.path(), "unix", {}}) == "none");
  CHECK(has(error_of({app.path(), "no-such-vfs", {}}), "no such vfs: no-such-vfs"));
}

TEST_CASE("paths and URIs are made absolute at once") {
  const std::string here = std::filesystem::current_path().native();
  CHECK(storage::with_absolute_path("app.db").path == here + "/app.db");
  CHECK(storage::with_absolute_path("file:app.db").path == "file:" + here + "/app.db");
  CHECK(storage::with_absolute_path("file:a.db?cache=private").path ==
        "file:" + here + "/a.db?cache=private");
  CHECK(storage::with_absolute_path("file:/x/a.db?y=z").path == "file:/x/a.db?y=z");
}

TEST_CASE("a URI is made absolute in a folder of any name") {
  struct Back {
    std::filesystem::path path = std::filesystem::current_path();
    ~Back() { std::filesystem::current_path(path); }
  } const back;
  std::filesystem::current_path("/");
  CHECK(storage::with_absolute_path("file:apps/a.db").path == "file:/apps/a.db");
  const support::TemporaryFolder folder;
  const std::string odd = folder.file("c%20d?#");
  std::filesystem::create_directory(odd);
  std::filesystem::current_path(odd);
  CHECK(storage::with_absolute_path("a.db?").path == odd + "/a.db?");
  CHECK(storage::with_absolute_path("file:a.db?y=z").path ==
        "file:" + folder.file("c%2520d%3F%23") + "/a.db?y=z");
}

TEST_CASE("a path where nothing is, or no file, is refused, and nothing is made") {
  const support::TemporaryFolder folder;
  CHECK(has(error_of(folder.file("typo.db")), "the app makes its database, outbox never does"));
  CHECK(has(error_of(folder.path()), "it is no regular file"));
  CHECK(has(error_of("/dev/null"), "it is no regular file"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a file that is no database is refused") {
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("text.db")} << std::string(8'192, 'x');
  CHECK(has(error_of(folder.file("text.db")), "file is not a database"));
}

TEST_CASE("locking_mode=exclusive in a recipe is refused, and check_host names the host's") {
  support::AppDatabase app;
  const auto exclusive = [](sqlite3* db) {
    sqlite3_exec(db, "pragma locking_mode = exclusive", nullptr, nullptr, nullptr);
  };
  CHECK(has(error_of({app.path(), "", exclusive}), "locking_mode is exclusive"));
  app.db().exec("pragma locking_mode = exclusive");
  CHECK(check_host(app.db()).at(0).name == "locking_mode");
}

TEST_CASE("a dispatcher beside an exclusive connection starts, waits, and says why") {
  support::AppDatabase app;
  app.db().exec("pragma locking_mode = exclusive");
  app.enqueue_many(2);
  track_server::TrackServer server;
  Dispatcher dispatcher{app.path(), support::endpoint_of(server)};
  CHECK(has(dispatcher.stats().database_trouble, "locking_mode=EXCLUSIVE"));
  app.db().exec("pragma locking_mode = normal; select count(*) from outbox_events");
  CHECK(server.wait_for_events(2, std::chrono::seconds{60}));
}

TEST_CASE("a file or a folder that may not be written has its own message") {
  if (geteuid() != 0) return;  // only root can step down to another user
  support::AppDatabase app;
  REQUIRE(chmod(app.folder().path().c_str(), 0755) == 0);
  REQUIRE(chmod(app.path().c_str(), 0644) == 0);
  CHECK(has(said_as_nobody(app.path()), "this user may not write it"));
  REQUIRE(chmod(app.path().c_str(), 0666) == 0);
  CHECK(has(said_as_nobody(app.path()), "this user may not write its folder"));
}

TEST_CASE("a connection that is null is an error of the caller's, and so is a path that is empty") {
  const auto error = [](auto action) -> std::string {
    try {
      action();
      return {};
    } catch (const std::invalid_argument& refusal) {
      return refusal.what();
    }
  };
  sqlite3* const none = nullptr;
  CHECK(has(error([&] { outbox::migrate(none); }), "the connection is null"));
  CHECK(has(error([&] { static_cast<void>(outbox::prometheus_text(none)); }),
            "the connection is null"));
  SQLite::Database moved{":memory:", SQLite::OPEN_READWRITE};
  const SQLite::Database owner{std::move(moved)};
  CHECK(has(error([&] { outbox::enqueue(moved, support::event_of("u")); }),
            "the connection is null"));
  CHECK(has(error([] { outbox::storage::with_absolute_path(std::string{}); }),
            "path of the database"));
}

TEST_CASE("a statement that takes long ends when it is over, and none before") {
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE};
  constexpr auto long_one =
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)"
      " select count(*) from n";
  bool is_over = false;
  {
    const outbox::storage::EndsWhen over{db.getHandle(), [&] { return is_over; }};
    CHECK(outbox::storage::query_integer(db.getHandle(), long_one, "count") == 1'000'000);
    is_over = true;
    CHECK_THROWS_AS(outbox::storage::query_integer(db.getHandle(), long_one, "count"),
                    outbox::database_error);
  }
  CHECK(outbox::storage::query_integer(db.getHandle(), long_one, "count") == 1'000'000);
}

TEST_CASE("a SQLite for a single thread is noticed") {
  CHECK(outbox::storage::is_threadsafe());
  const pid_t child = fork();
  if (child == 0) {
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    _exit(outbox::storage::is_threadsafe() ? 1 : 0);
  }
  int ended = -1;
  REQUIRE(waitpid(child, &ended, 0) == child);
  CHECK(ended == 0);
}

// A database that misbehaves under a dispatcher at work, for real.

#include <SQLiteCpp/Backup.h>
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/small_disk.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::becomes_true;
using support::endpoint_of;
using track_server::TrackServer;

namespace {

namespace fs = std::filesystem;

SQLite::Database host(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000};
  db.exec("pragma journal_mode = wal");
  migrate(db);
  return db;
}

void enqueue_one(SQLite::Database& db, const std::string& user) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  enqueue(db, support::event_of(user));
  transaction.commit();
}

std::int64_t count(SQLite::Database& db, const std::string& where) {
  return db.execAndGet("select count(*) from outbox_event_states where " + where).getInt64();
}

void remove_database(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
}

// A host's own sink may throw anything, and does.
class RudeSink final : public Sink {
 public:
  std::string name() const override { return "rude"; }
  void submit(std::uint64_t token, Batch) override {
    replies_.push_back({token, {.verdict = Verdict::delivered}});
  }
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override {
    if (++collects_ % 2 == 0) throw_anything();
    if (replies_.empty()) std::this_thread::sleep_for(std::min(time_max, 1ms));
    return std::exchange(replies_, {});
  }
  void watch(int) override { throw 2; }
  void wake() noexcept override {}
  void abort() noexcept override { replies_.clear(); }

 private:
  void throw_anything() const {
    if (collects_ % 4 == 0) throw std::runtime_error{"about amy@achme.com"};
    throw 1;
  }

  std::vector<Reply> replies_;
  int collects_ = 0;
};

}  // namespace

TEST_CASE("a sink that throws what is no std::exception does not end the process") {
  const support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  Dispatcher dispatcher{folder.file("app.db"), Endpoint{std::make_unique<RudeSink>()}};
  for (const char* user : {"ann", "bob", "cid"}) {
    enqueue_one(db, user);
    CHECK(becomes_true([&] { return count(db, "state = 'pending'") == 0; }));
  }
}

TEST_CASE("what a sink throws is told without an address") {
  const support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  std::mutex mutex;
  std::string told;
  {
    Dispatcher dispatcher{folder.file("app.db"),
                          Endpoint{std::make_unique<RudeSink>()},
                          {.observer = [&](const Notice& notice) {
                            if (notice.kind != Notice::Kind::database_trouble) return;
                            const std::lock_guard guard{mutex};
                            told += notice.text;
                          }}};
    enqueue_one(db, "ann");
    CHECK(becomes_true([&] {
      const std::lock_guard guard{mutex};
      return told.find("about") != std::string::npos;
    }));
  }
  CHECK(told.find("amy") == std::string::npos);
}

TEST_CASE("a connection that may not write is refused, and nothing is sent") {
  const support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  enqueue_one(db, "ann");
  const DatabaseFile file{folder.file("app.db"), "", [](sqlite3* own) {
                            sqlite3_exec(own, "pragma query_only = on", nullptr, nullptr, nullptr);
                          }};
  CHECK_THROWS_WITH_AS((Dispatcher{file, Endpoint{std::make_unique<RudeSink>()}}),
                       doctest::Contains("may not write"), database_error);
  CHECK(count(db, "state = 'pending'") == 1);
}

TEST_CASE("on a full disk nothing is sent again and again, and nothing is lost") {
  const support::SmallDisk disk;
  if (!disk.is_there()) {
    MESSAGE("not run: needs the right to mount");
    return;
  }
  TrackServer server;
  SQLite::Database db = host(disk.file("app.db"));
  Dispatcher dispatcher{disk.file("app.db"), endpoint_of(server)};
  REQUIRE(becomes_true([&] { return dispatcher.stats().is_active; }));
  std::size_t enqueued = 0;
  for (int cycle = 0; cycle < 3; ++cycle) {
    // Paused, so that the disk is full when the events go out.
    pause(db, "track", {.reason = "test"});
    REQUIRE(becomes_true([&] { return dispatcher.stats().is_paused; }));
    for (int i = 0; i < 20; ++i) enqueue_one(db, "user-" + std::to_string(enqueued++));
    resume(db, "track");
    disk.fill();
    dispatcher.notify();
    const bool is_in_trouble = becomes_true([&] {
      return !dispatcher.stats().database_trouble.empty() ||
             count(db, "state = 'delivered'") == std::int64_t(enqueued);
    });
    CHECK(is_in_trouble);
    disk.release();
    CHECK(becomes_true([&] { return count(db, "state = 'delivered'") == std::int64_t(enqueued); }));
    CHECK(server.event_count() == enqueued);
  }
}

TEST_CASE("a database that is removed is trouble, and one that comes in its place is served") {
  TrackServer server;
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  {
    SQLite::Database db = host(path);
    enqueue_one(db, "first");
  }
  Dispatcher dispatcher{path, endpoint_of(server)};
  REQUIRE(server.wait_for_events(1, support::long_enough));

  remove_database(path);
  CHECK(becomes_true([&] {
    return dispatcher.stats().database_trouble.find("removed, renamed or replaced") !=
               std::string::npos ||
           dispatcher.stats().database_trouble.find("cannot open") != std::string::npos;
  }));
  SQLite::Database db = host(path);
  enqueue_one(db, "second");
  CHECK(server.wait_for_events(2, support::long_enough));
  CHECK(becomes_true([&] { return count(db, "state = 'delivered'") == 1; }));
}

TEST_CASE("a symbolic link that leads to another database is followed") {
  TrackServer server;
  support::TemporaryFolder folder;
  const std::string link = folder.file("link.db");
  SQLite::Database first = host(folder.file("first.db"));
  SQLite::Database second = host(folder.file("second.db"));
  fs::create_symlink(folder.file("first.db"), link);
  enqueue_one(first, "first");
  Dispatcher dispatcher{link, endpoint_of(server)};
  REQUIRE(server.wait_for_events(1, support::long_enough));

  fs::create_symlink(folder.file("second.db"), folder.file("next"));
  fs::rename(folder.file("next"), link);
  enqueue_one(second, "second");
  CHECK(server.wait_for_events(2, support::long_enough));
}

TEST_CASE("marks of a database that was replaced never reach the new one") {
  TrackServer server;
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  SQLite::Database other = host(folder.file("other.db"));
  std::optional<SQLite::Database> db{host(path)};
  Dispatcher dispatcher{path, endpoint_of(server)};
  REQUIRE(becomes_true([&] { return dispatcher.stats().is_active; }));
  // The answer comes when the file is another one, with an event of the same id.
  server.misbehave({.requests_max = 1, .latency = 500ms});
  enqueue_one(*db, "of the old file");
  REQUIRE(server.wait_for_requests(1, support::long_enough));
  enqueue_one(other, "of the new file");
  other.exec("pragma wal_checkpoint(truncate)");
  fs::rename(folder.file("other.db"), path);
  CHECK(server.wait_for_events(2, support::long_enough));
}

TEST_CASE("a damaged database is trouble and no crash, and stopping stays prompt") {
  TrackServer server;
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  {
    SQLite::Database db = host(path);
    for (int i = 0; i < 200; ++i) enqueue_one(db, "user-" + std::to_string(i));
    db.exec("pragma wal_checkpoint(truncate)");
  }
  const auto size = static_cast<std::streamoff>(fs::file_size(path));
  SUBCASE("in its middle") {
    std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
    for (std::streamoff at = 8'192; at < size; at += 512) {
      file.seekp(at);
      file << std::string(500, '\xA5');
    }
  }
  SUBCASE("in its header") {
    std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
    file << std::string(100, 'x');
  }
  SUBCASE("cut off") {
    fs::resize_file(path, 10'000);
  }
  try {
    Dispatcher dispatcher{path, endpoint_of(server)};
    CHECK(becomes_true([&] { return !dispatcher.stats().database_trouble.empty(); }));
    dispatcher.stop();
  } catch (const std::runtime_error& error) {  // seen at once
    CHECK(std::string{error.what()}.rfind("outbox: ", 0) == 0);
  }
}

TEST_CASE("a copy of a database with pending events is noticed, and not sent when that is wanted") {
  TrackServer server;
  server.misbehave({.status = 503});
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  const std::string copy = folder.file("copy.db");
  {
    SQLite::Database db = host(path);
    enqueue_one(db, "user-1");
    const Dispatcher dispatcher{path, endpoint_of(server)};
    REQUIRE(server.wait_for_requests(1, support::long_enough));
  }
  SQLite::Database{path, SQLite::OPEN_READWRITE}.exec("vacuum into '" + copy + "'");
  SQLite::Database db = host(copy);
  server.behave();
  const auto is_warned = [](const Dispatcher& dispatcher) {
    return becomes_true([&] {
      for (const std::string& warning : dispatcher.stats().warnings) {
        if (warning.find("a copy or was restored") != std::string::npos) return true;
      }
      return false;
    });
  };
  SUBCASE("with a pause") {
    const Dispatcher dispatcher{copy, endpoint_of(server), {.pauses_foreign_database = true}};
    CHECK(is_warned(dispatcher));
    CHECK(becomes_true([&] { return dispatcher.stats().is_paused; }));
    CHECK(server.event_count() == 0);
    resume(db, "track");
    CHECK(server.wait_for_events(1, support::long_enough));
  }
  SUBCASE("with a warning only, once") {
    {
      const Dispatcher dispatcher{copy, endpoint_of(server)};
      CHECK(is_warned(dispatcher));
      CHECK(server.wait_for_events(1, support::long_enough));
    }
    enqueue_one(db, "user-2");
    const Dispatcher again{copy, endpoint_of(server)};
    CHECK(server.wait_for_events(2, support::long_enough));
    for (const std::string& warning : again.stats().warnings) {
      CHECK(warning.find("a copy or was restored") == std::string::npos);
    }
  }
}

TEST_CASE("a drain leaves the identity of the database as it is, and obeys the pause of a copy") {
  TrackServer server;
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  const std::string copy = folder.file("copy.db");
  {
    SQLite::Database db = host(path);
    enqueue_one(db, "user-1");
    CHECK(deliver_once(path, endpoint_of(server)).delivered == 1);
    CHECK(deliver_once(db, endpoint_of(server)).delivered == 0);
    enqueue_one(db, "user-2");
    db.exec("vacuum into '" + copy + "'");
  }
  CHECK(deliver_once(copy, endpoint_of(server), {.pauses_foreign_database = true}).is_paused);
  CHECK(server.event_count() == 1);
}

TEST_CASE("a database that others may read is warned of, and a private one is not") {
  TrackServer server;
  support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  struct Row {
    int folder;
    int file;
    bool is_private;
  };
  for (const auto& [folder_mode, mode, is_private] :
       {Row{0755, 0600, true}, Row{0755, 0644, false}, Row{0700, 0644, true}}) {
    fs::permissions(folder.path(), fs::perms(folder_mode));
    fs::permissions(folder.file("app.db"), fs::perms(mode));
    const Dispatcher dispatcher{folder.file("app.db"), endpoint_of(server)};
    REQUIRE(becomes_true([&] { return dispatcher.stats().is_active; }));
    CHECK(dispatcher.stats().warnings.empty() == is_private);
  }
}

TEST_CASE("check_host names a SQLite without JSON functions") {
  support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  const auto is_named = [&] {
    const auto problems = check_host(db);
    return std::any_of(problems.begin(), problems.end(),
                       [](const HostProblem& problem) { return problem.name == "sqlite_json"; });
  };
  CHECK_FALSE(is_named());
  // Older ones could be built without; to a statement that is the same as a function denied.
  sqlite3_set_authorizer(
      db.getHandle(),
      [](void*, int action, const char*, const char* name, const char*, const char*) {
        const bool is_json = action == SQLITE_FUNCTION && std::string_view{name} == "json_extract";
        return is_json ? SQLITE_DENY : SQLITE_OK;
      },
      nullptr);
  CHECK(is_named());
}

TEST_CASE("strict refuses a SQLite that may lose commits") {
  TrackServer server;
  support::TemporaryFolder folder;
  SQLite::Database db = host(folder.file("app.db"));
  bool is_reported = false;
  for (const HostProblem& problem : check_host(db)) {
    is_reported = is_reported || problem.name == "sqlite_version";
  }
  const auto make = [&] {
    const Dispatcher dispatcher{
        folder.file("app.db"), endpoint_of(server), {.refuses_unsafe_sqlite = true}};
  };
  const auto deliver = [&] {
    deliver_once(folder.file("app.db"), endpoint_of(server), {.refuses_unsafe_sqlite = true});
  };
  if (is_reported) {
    CHECK_THROWS_WITH_AS(make(), doctest::Contains("WAL-reset bug"), std::runtime_error);
    CHECK_THROWS_WITH_AS(deliver(), doctest::Contains("WAL-reset bug"), std::runtime_error);
  } else {
    make();
    deliver();
  }
}

TEST_CASE("a backup that is written over the file is served as the dispatcher is set up now") {
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  TrackServer server;
  auto db = host(path);
  const auto copy = [](const std::string& from, const std::string& to) {
    SQLite::Database source{from, SQLite::OPEN_READONLY};
    SQLite::Database copied{to, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    REQUIRE(SQLite::Backup{copied, source}.executeStep(-1) == SQLITE_DONE);
  };
  const auto enqueue_in_key = [&](const std::string& user) {
    SQLite::Transaction transaction{db};
    enqueue(db, support::event_of(user), {.ordering_key = "k"});
    transaction.commit();
  };
  // Of a dispatcher to which death blocks: one is dead, another waits behind it.
  db.exec("insert into outbox_events (payload, ordering_key) values ('{\"rubbish\":1}', 'k')");
  enqueue_in_key("waits");
  enqueue_one(db, "free");
  deliver_once(db, endpoint_of(server), {.blocks_on_dead = true});
  REQUIRE(count(db, "waits_as = 'waiting'") == 1);
  copy(path, folder.file("backup.db"));

  Dispatcher dispatcher{path, endpoint_of(server)};
  REQUIRE(becomes_true([&] { return count(db, "state = 'pending'") == 0; }));
  copy(folder.file("backup.db"), path);
  enqueue_in_key("later");

  CHECK(becomes_true([&] { return count(db, "state = 'pending'") == 0; }));
  CHECK(db.execAndGet("select block_on_dead from outbox_destinations").getInt() == 0);
}

TEST_CASE("another file's database, written over this one, is paused before anything is sent") {
  support::TemporaryFolder folder;
  TrackServer production;
  TrackServer staging;
  auto theirs = host(folder.file("production.db"));
  enqueue_one(theirs, "known");
  deliver_once(folder.file("production.db"), endpoint_of(production));
  enqueue_one(theirs, "person");
  auto ours = host(folder.file("staging.db"));

  Dispatcher dispatcher{
      folder.file("staging.db"), endpoint_of(staging), {.pauses_foreign_database = true}};
  REQUIRE(becomes_true([&] { return count(ours, "1") == 0 && dispatcher.stats().is_active; }));
  REQUIRE(SQLite::Backup{ours, theirs}.executeStep(-1) == SQLITE_DONE);

  CHECK(becomes_true([&] { return dispatcher.stats().is_paused; }));
  CHECK(staging.event_count() == 0);
}

TEST_CASE("a host that writes has its turn while events are only made to wait") {
  // Each look at the clock is a commit of the host's: one at least in each round.
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  auto db = host(path);
  {
    SQLite::Transaction transaction{db};
    Writer writer{db};
    for (int i = 0; i < 10'000; ++i) {
      writer.enqueue(support::event_of("u"), {.ordering_key = "k"});
    }
    db.exec(
        "update outbox_queue set state = 3, refusals = 1, suspected_at_ms = 1,"
        " due_at_ms = enqueued_at_ms + 500000 where event = 1;"
        "create table visits (id integer primary key)");
    transaction.commit();
  }
  // Nothing is ever sent: what waits for an answer before all have been moved is the room for
  // others.
  SQLite::Database visits{path, SQLite::OPEN_READWRITE, 5000};
  const auto waiting = [](SQLite::Database& from) {
    return from.execAndGet("select count(*) from outbox_queue where state = 1").getInt();
  };
  std::atomic<int> turns{0};
  struct Idle final : Sink {
    explicit Idle(std::function<void()> on_wait) : on_wait_{std::move(on_wait)} {}
    std::string name() const override { return "idle"; }
    void submit(std::uint64_t, Batch) override {}
    std::vector<Reply> collect(std::chrono::milliseconds time_max) override {
      on_wait_();
      std::this_thread::sleep_for(std::min(time_max, 1ms));
      return {};
    }
    void wake() noexcept override {}
    void abort() noexcept override {}

   private:
    std::function<void()> on_wait_;
  };
  const auto count_turn = [&] {
    const int moved = waiting(visits);
    if (moved > 0 && moved < 9'999) ++turns;
  };
  const auto clock = [&] {
    if (waiting(visits) < 9'999) visits.exec("insert into visits default values");
    return std::chrono::system_clock::now();
  };
  Dispatcher dispatcher{path, Endpoint{std::make_unique<Idle>(count_turn)}, {.clock = clock}};
  REQUIRE(becomes_true([&] { return waiting(db) == 9'999; }));
  dispatcher.stop();
  CHECK(turns > 0);
}

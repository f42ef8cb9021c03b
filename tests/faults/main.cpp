// Each allocation of a call fails, once and for ever: nothing is lost, nothing is half done, and
// nothing ends the process. A program of its own, since the hooks are for a whole process.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <set>

#include "faults/allocations.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/files.hpp"
#include "support/process.hpp"

using faults::FailingAllocation;
using faults::Lasts;

namespace {

// OUTBOX_LONG_TESTS=1: each one, where otherwise it is one in `stride`.
std::int64_t stride(std::int64_t usual) {
  return std::getenv("OUTBOX_LONG_TESTS") == nullptr ? usual : 1;
}

// Calls `action` with its first, second, … allocation failing until it gets through, and `check`
// after each. Returns how many calls failed at an allocation.
template <class Action, class Check>
std::int64_t fail_each(Lasts lasts, std::int64_t step, Action action, Check check) {
  for (std::int64_t nth = 1, calls = 0;; nth += step) {
    bool has_struck = false;
    bool has_thrown = false;
    {
      const FailingAllocation failing{nth, lasts};
      try {
        action();
      } catch (const std::exception&) {
        has_thrown = true;
      }
      has_struck = failing.has_struck();
    }
    CAPTURE(nth);
    check(has_thrown);
    if (!has_struck) {
      REQUIRE_FALSE(has_thrown);
      return calls;
    }
    ++calls;
  }
}

void make_utf16(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("pragma encoding = 'UTF-16le'; pragma journal_mode = wal");
  outbox::migrate(db);
}

struct Receiver {
  support::TemporaryFolder folder;
  support::Process server{{OUTBOX_TRACK_SERVER, "--port", "0", "--log", folder.file("log")}};

  outbox::TrackApi api() const {
    return {.credentials = outbox::bearer("t0ken"), .url = support::url_in(server.first_line())};
  }
  std::string log() const { return support::text_of(folder.file("log")); }
};

std::int64_t number(SQLite::Database& db, const std::string& sql) {
  return db.execAndGet(sql).getInt64();
}

void enqueue_two(SQLite::Database& db, std::int64_t& users) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  for (int i = 0; i < 2; ++i) {
    outbox::enqueue(db, support::event_of("u-" + std::to_string(users++)));
  }
  transaction.commit();
}

// Everyone that is delivered was received, and nobody else's events were.
void check_received(SQLite::Database& db, const Receiver& receiver, std::int64_t users) {
  const std::string log = receiver.log();
  CHECK(number(db, "select count(*) from outbox_queue") == 0);
  CHECK(number(db, "select count(*) from outbox_events") == users);
  std::int64_t received = 0;
  for (std::int64_t user = 0; user < users; ++user) {
    const std::string mark = "\"u-" + std::to_string(user) + "\"";
    received += std::int64_t{log.find(mark) != std::string::npos};
  }
  CHECK(received == users);
  CHECK(log.find("\"rolled-back\"") == std::string::npos);
}

}  // namespace

TEST_CASE("migrate gets through or changes nothing") {
  for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
    support::TemporaryFolder folder;
    std::int64_t files = 0;
    std::int64_t left_open = 0;
    std::unique_ptr<SQLite::Database> db;
    const auto begin = [&] {
      db = std::make_unique<SQLite::Database>(folder.file(std::to_string(++files)),
                                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    };
    begin();
    const std::int64_t calls = fail_each(
        lasts, stride(7), [&] { outbox::migrate(*db); },
        [&](bool has_thrown) {
          if (sqlite3_get_autocommit(db->getHandle()) == 0) {
            // An index that was made makes SQLite prepare ROLLBACK anew, and it has no memory.
            REQUIRE(lasts == Lasts::for_ever);
            db->exec("rollback");
            ++left_open;
          }
          const std::int64_t tables = number(*db,
                                             "select count(*) from sqlite_schema where name"
                                             " glob 'outbox_*'");
          if (has_thrown) REQUIRE(tables == 0);
          CHECK(outbox::migrate(*db) == outbox::schema_version());
          begin();
        });
    MESSAGE(calls << " failed calls of migrate, " << left_open << " that could not roll back");
    CHECK(calls > 50);
  }
}

TEST_CASE("enqueue stores all of a call or nothing, and leaves the host's transaction") {
  for (const bool is_utf16 : {false, true}) {
    for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
      CAPTURE(is_utf16);
      support::TemporaryFolder folder;
      if (is_utf16) make_utf16(folder.file("app.db"));
      SQLite::Database db{folder.file("app.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
      outbox::migrate(db);
      db.exec("create table notes (text)");
      std::int64_t stored = 0;
      std::int64_t notes = 0;
      std::int64_t ended = 0;
      const auto begin = [&] { db.exec("begin immediate; insert into notes values ('x')"); };
      begin();
      const std::int64_t calls = fail_each(
          lasts, stride(1),
          [&] {
            const outbox::Event events[] = {support::amy(), support::event_of("second")};
            outbox::enqueue(db, events,
                            {.headers = {{"tenant", "a \"quoted\" one"}},
                             .ordering_key = "k",
                             .puts_event_id_in_context = true});
          },
          [&](bool has_thrown) {
            const bool is_open = sqlite3_get_autocommit(db.getHandle()) == 0;
            REQUIRE((is_open || has_thrown));  // SQLite may have ended the transaction
            if (is_open) db.exec("commit");
            ended += std::int64_t{!is_open};
            notes += std::int64_t{is_open};
            if (!has_thrown) stored += 2;
            REQUIRE(number(db, "select count(*) from notes") == notes);
            REQUIRE(number(db, "select count(*) from outbox_events") == stored);
            REQUIRE(number(db, "select count(*) from outbox_queue") == stored);
            REQUIRE(number(db,
                           "select count(*) from outbox_events where length(payload) < 50 or"
                           " payload not like '{%}'") == 0);
            begin();
          });
      MESSAGE(calls << " failed calls of enqueue, " << ended << " without a transaction after it");
      CHECK(calls > 20);
    }
  }
}

TEST_CASE("looking and operating leave the host's connection, and change all or nothing") {
  support::TemporaryFolder folder;
  SQLite::Database db{folder.file("app.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("pragma journal_mode = wal");
  outbox::migrate(db);
  std::int64_t users = 0;
  for (int i = 0; i < 4; ++i) enqueue_two(db, users);
  const outbox::ChangeNote note{.reason = "why"};
  const auto chosen = outbox::Selection::ids({3, 4});
  const std::vector<std::function<void()>> actions = {
      [&] { static_cast<void>(outbox::status(db)); },
      [&] { static_cast<void>(outbox::list_events(db, {})); },
      [&] { static_cast<void>(outbox::explain(db, 3)); },
      [&] { static_cast<void>(outbox::list_requests(db)); },
      [&] { static_cast<void>(outbox::diagnose(db)); },
      [&] { outbox::nudge(db); },
      [&] { outbox::pause(db, "track", {.reason = "why"}); },
      [&] { outbox::resume(db, "track"); },
      [&] { outbox::discard(db, chosen, note); },
      [&] { outbox::retry(db, chosen, note); },
      [&] { outbox::move_events(db, "track", "other", note); },
      [&] { outbox::move_events(db, "other", "track", note); },
      [&] { outbox::repair(db, note); },
  };
  std::int64_t calls = 0;
  for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      CAPTURE(i);
      calls += fail_each(lasts, stride(19), actions[i], [&](bool) {
        REQUIRE(sqlite3_get_autocommit(db.getHandle()) != 0);
        REQUIRE(number(db, "select count(*) from outbox_events") == users);
        REQUIRE(number(db, "select count(*) from outbox_queue") == users);
      });
    }
  }
  MESSAGE(calls << " failed calls that look or operate");
  CHECK(calls > 500);
}

TEST_CASE("deliver_once loses nothing, and marks nothing that was not sent") {
  for (const bool is_utf16 : {false, true}) {
    for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
      CAPTURE(is_utf16);
      const Receiver receiver;
      support::TemporaryFolder folder;
      const std::string path = folder.file("app.db");
      if (is_utf16) make_utf16(path);
      SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
      db.setBusyTimeout(5'000);
      db.exec("pragma journal_mode = wal");
      outbox::migrate(db);
      std::int64_t users = 0;
      const auto enqueue = [&] { enqueue_two(db, users); };
      enqueue();
      const std::int64_t calls = fail_each(
          lasts, stride(23),
          [&] { outbox::deliver_once({path}, outbox::track_api(receiver.api())); },
          [&](bool) {
            REQUIRE(sqlite3_get_autocommit(db.getHandle()) != 0);
            // What was left over goes with the next ones.
            enqueue();
          });
      MESSAGE(calls << " failed calls of deliver_once");
      CHECK(calls > 100);
      for (int i = 0; i < 50 && number(db, "select count(*) from outbox_queue") > 0; ++i) {
        outbox::nudge(db, "track");
        outbox::deliver_once({path}, outbox::track_api(receiver.api()));
      }
      check_received(db, receiver, users);
    }
  }
}

TEST_CASE("a sink sends again after any failed allocation") {
  const Receiver receiver;
  outbox::Endpoint endpoint = outbox::track_api(receiver.api());
  std::uint64_t token = 0;
  const auto send = [&] {
    endpoint.sink().submit(++token, {.body = "[" + support::payload_of("u") + "]"});
    const auto end = std::chrono::steady_clock::now() + support::long_enough;
    while (std::chrono::steady_clock::now() < end) {
      for (auto& reply : endpoint.sink().collect(std::chrono::seconds{1})) {
        if (reply.token == token) return reply.outcome;
      }
    }
    throw std::runtime_error{"no outcome"};
  };
  for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
    const std::int64_t calls = fail_each(
        lasts, 1,
        [&] {
          endpoint.sink().abort();
          endpoint.sink().submit(++token, {.body = "[" + support::payload_of("u") + "]"});
          // So few, and a lost reply ends no wait: what was sent is not asked for.
          for (int i = 0; i < 20; ++i) {
            if (!endpoint.sink().collect(std::chrono::milliseconds{1}).empty()) return;
          }
        },
        [&](bool) {
          endpoint.sink().abort();
          REQUIRE(send().verdict == outbox::Verdict::delivered);
          endpoint = outbox::track_api(receiver.api());  // the next one has to connect, too
        });
    MESSAGE(calls << " failed calls of a sink");
    CHECK(calls > 100);
  }
}

TEST_CASE(
    "a dispatcher that cannot be made for want of memory, and a check, end with an exception") {
  const Receiver receiver;
  support::TemporaryFolder folder;
  SQLite::Database db{folder.file("app.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("pragma journal_mode = wal");
  outbox::migrate(db);
  for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
    const std::int64_t checks = fail_each(
        lasts, 1, [&] { static_cast<void>(outbox::check_host(db)); }, [](bool) {});
    const std::int64_t made = fail_each(
        lasts, stride(7),
        [&] {
          outbox::Dispatcher{folder.file("app.db"), outbox::track_api(receiver.api())};
        },
        [](bool) {});
    MESSAGE(checks << " failed checks, " << made << " dispatchers that were not made");
    CHECK(checks > 50);
    CHECK(made > 20);
  }
}

TEST_CASE("a dispatcher lives on without memory, and delivers when there is some") {
  const Receiver receiver;
  support::TemporaryFolder folder;
  const std::string path = folder.file("app.db");
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5'000);
  db.exec("pragma journal_mode = wal");
  outbox::migrate(db);
  outbox::Dispatcher dispatcher{path, outbox::track_api(receiver.api())};
  std::int64_t users = 0;
  std::int64_t calls = 0;
  // A round takes some hundred allocations; after a failed one it waits for a second.
  for (const Lasts lasts : {Lasts::once, Lasts::for_ever}) {
    for (std::int64_t nth = 1; nth < 900; nth += stride(60)) {
      CAPTURE(nth);
      enqueue_two(db, users);
      {
        const FailingAllocation failing{nth, lasts};
        dispatcher.notify();
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
        while (!failing.has_struck() && std::chrono::steady_clock::now() < end) {
          std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        calls += std::int64_t{failing.has_struck()};
      }
      const bool is_delivered = support::becomes_true([&] {
        dispatcher.notify();
        return number(db, "select count(*) from outbox_queue") == 0;
      });
      const outbox::Stats stats = dispatcher.stats();
      CAPTURE(stats.hold);
      CAPTURE(stats.database_trouble);
      CAPTURE(outbox::explain(db, 2 * calls));
      REQUIRE(is_delivered);
    }
  }
  MESSAGE(calls << " failed allocations of a dispatcher");
  CHECK(calls > 10);
  dispatcher.stop();
  check_received(db, receiver, users);
}

int main(int argc, char** argv) {
  faults::install_allocation_hooks();
  return doctest::Context{argc, argv}.run();
}

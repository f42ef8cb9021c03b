// Whatever interrupts a call, the host finds its connection as it was.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include "support/database.hpp"

using namespace outbox;

namespace {

// Interrupts the connection at the `left`-th step of its virtual machine, once.
struct Interrupter {
  explicit Interrupter(sqlite3* handle) : db{handle} {
    sqlite3_progress_handler(
        db, 1,
        [](void* self) {
          auto& that = *static_cast<Interrupter*>(self);
          if (that.left > 0 && --that.left == 0) {
            sqlite3_interrupt(that.db);  // holds until nothing of the connection is active
            that.has_struck = true;
          }
          return 0;
        },
        this);
  }
  ~Interrupter() { sqlite3_progress_handler(db, 0, nullptr, nullptr); }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  sqlite3* db;
  std::int64_t left = 0;
  bool has_struck = false;
};

// Calls `action` again and again, interrupted one step later each time, until it gets through.
// After each `is_as_before` must hold. Returns how many calls were interrupted.
template <class Action, class AsBefore>
std::size_t interrupt_everywhere(sqlite3* db, Action action, AsBefore is_as_before) {
  std::size_t interrupted = 0;
  for (std::int64_t step = 1;; ++step) {
    Interrupter interrupter{db};
    interrupter.left = step;
    bool has_thrown = false;
    try {
      action();
    } catch (const std::exception&) {
      has_thrown = true;
    }
    interrupter.left = 0;
    CAPTURE(step);
    REQUIRE(is_as_before(has_thrown));
    if (!interrupter.has_struck) return interrupted;
    ++interrupted;
  }
}

// Lets an authorizer deny the `nth` thing that it is asked for; or that one and all after it.
// Columns do not count: a statement that may not read one is not prepared, as when it may do
// nothing.
class Denier {
 public:
  Denier(sqlite3* db, std::int64_t nth, bool for_ever) : db_{db}, left_{nth}, for_ever_{for_ever} {
    sqlite3_set_authorizer(db, &Denier::answer, this);
  }
  ~Denier() { sqlite3_set_authorizer(db_, nullptr, nullptr); }
  Denier(const Denier&) = delete;
  Denier& operator=(const Denier&) = delete;

  bool has_struck() const { return left_ <= 0; }

 private:
  static int answer(void* self, int action, const char*, const char*, const char*, const char*) {
    if (action == SQLITE_READ) return SQLITE_OK;
    auto& that = *static_cast<Denier*>(self);
    --that.left_;
    return that.left_ == 0 || (that.left_ < 0 && that.for_ever_) ? SQLITE_DENY : SQLITE_OK;
  }

  sqlite3* db_;
  std::int64_t left_;
  bool for_ever_;
};

int ignore_inserts(void*, int action, const char* table, const char*, const char*, const char*) {
  const bool is_it = action == SQLITE_INSERT && std::string_view{table} == "outbox_events";
  return is_it ? SQLITE_IGNORE : SQLITE_OK;
}

}  // namespace

TEST_CASE("a call that is interrupted at any step leaves no transaction and no savepoint open") {
  support::AppDatabase app;
  app.db().exec("create table notes (text)");
  app.enqueue_many(20);
  sqlite3* const db = app.db().getHandle();
  const auto is_closed = [db](bool) { return sqlite3_get_autocommit(db) != 0; };
  std::size_t calls = 0;

  calls += interrupt_everywhere(
      db, [&] { static_cast<void>(status(app.db())); }, is_closed);
  calls += interrupt_everywhere(
      db, [&] { static_cast<void>(list_events(app.db(), {})); }, is_closed);
  calls += interrupt_everywhere(
      db, [&] { static_cast<void>(explain(app.db(), 3)); }, is_closed);
  calls += interrupt_everywhere(
      db, [&] { pause(app.db(), "track", {.reason = "why"}); }, is_closed);
  calls += interrupt_everywhere(
      db, [&] { resume(app.db(), "track"); }, is_closed);
  calls += interrupt_everywhere(
      db,
      [&] {
        discard(app.db(), outbox::Selection::ids({3, 4}), {"test", "why"});
      },
      is_closed);
  calls += interrupt_everywhere(
      db,
      [&] {
        retry(app.db(), outbox::Selection::ids({3, 4}));
      },
      is_closed);
  MESSAGE(calls << " interrupted calls");
  CHECK(calls > 5'000);
  CHECK(app.count("state = 'pending'") == 20);
}

TEST_CASE("a call that an authorizer denies leaves no transaction and no savepoint open") {
  support::AppDatabase app;
  app.enqueue_many(20);
  sqlite3* const db = app.db().getHandle();
  const auto deny_each = [db](bool for_ever, const auto& action) {
    std::int64_t calls = 0;
    for (bool has_struck = true; has_struck; ++calls) {
      CAPTURE(calls);
      const Denier denier{db, calls + 1, for_ever};
      bool has_thrown = false;
      try {
        action();
      } catch (const std::exception&) {
        has_thrown = true;
      }
      has_struck = denier.has_struck();
      REQUIRE(sqlite3_get_autocommit(db) != 0);
      REQUIRE((has_struck || !has_thrown));
    }
    return calls;
  };
  std::int64_t calls = 0;
  for (const bool for_ever : {false, true}) {
    CAPTURE(for_ever);
    calls += deny_each(for_ever, [&] { static_cast<void>(status(app.db())); });
    calls += deny_each(for_ever, [&] { static_cast<void>(list_events(app.db(), {})); });
    calls += deny_each(for_ever, [&] { static_cast<void>(explain(app.db(), 3)); });
    calls += deny_each(for_ever, [&] { static_cast<void>(diagnose(app.db())); });
    calls += deny_each(for_ever, [&] { pause(app.db(), "track", {.reason = "why"}); });
    calls += deny_each(for_ever, [&] { resume(app.db(), "track"); });
    calls += deny_each(for_ever, [&] {
      discard(app.db(), outbox::Selection::ids({3, 4}), {"test", "why"});
    });
    calls += deny_each(for_ever, [&] { retry(app.db(), outbox::Selection::ids({3, 4})); });
    calls += deny_each(for_ever, [&] { repair(app.db()); });
  }
  MESSAGE(calls << " denied calls");
  CHECK(calls > 500);
  CHECK(app.count("state = 'pending'") == 20);
}

TEST_CASE("an enqueue that an authorizer denies leaves the host's transaction as it was") {
  support::AppDatabase app;
  app.db().exec("create table notes (text)");
  sqlite3* const db = app.db().getHandle();
  std::int64_t calls = 0;
  for (const bool for_ever : {false, true}) {
    for (bool has_struck = true; has_struck; ++calls) {
      app.db().exec("begin immediate; savepoint host; insert into notes values ('x')");
      bool has_thrown = false;
      {
        const Denier denier{db, calls + 1, for_ever};
        const Event events[] = {support::event_of("a"), support::event_of("b")};
        try {
          enqueue(app.db(), events, {});
        } catch (const std::exception&) {
          has_thrown = true;
        }
        has_struck = denier.has_struck();
      }
      CAPTURE(calls);
      REQUIRE(sqlite3_get_autocommit(db) == 0);
      REQUIRE(app.number("select count(*) from outbox_events") == (has_thrown ? 0 : 2));
      app.db().exec("release host; rollback");
      if (!has_struck) REQUIRE_FALSE(has_thrown);
    }
    calls = 0;
  }
}

TEST_CASE("an enqueue that is interrupted leaves the host's transaction, or says that it is gone") {
  support::AppDatabase app;
  app.db().exec("create table notes (text)");
  sqlite3* const db = app.db().getHandle();
  std::size_t calls = 0;
  std::size_t ended = 0;
  const auto count = [&](const char* table) {
    return app.number(std::string{"select count(*) from "} + table);
  };
  for (std::int64_t round = 0; calls < 5'000; ++round) {
    bool is_through = false;
    for (std::int64_t step = 1; !is_through; ++step, ++calls) {
      CAPTURE(step);
      app.db().exec("begin immediate; savepoint host; insert into notes values ('x')");
      std::string message;
      {
        Interrupter interrupter{db};
        interrupter.left = step;
        const Event events[] = {support::event_of("a"), support::event_of("b")};
        try {
          enqueue(app.db(), events, {});
        } catch (const database_error& error) {
          message = error.what();
        }
        is_through = !interrupter.has_struck;
      }
      const bool is_gone = sqlite3_get_autocommit(db) != 0;
      REQUIRE(is_gone == (message.find("rolled back the whole transaction") != std::string::npos));
      if (is_gone) {
        ++ended;
        REQUIRE(count("notes") == 0);
        REQUIRE(count("outbox_events") == 0);
        continue;
      }
      // All of the call or nothing of it, and the host's own savepoint is the innermost one.
      const std::int64_t stored = message.empty() ? 2 : 0;
      REQUIRE(count("outbox_events") == stored);
      REQUIRE(count("outbox_queue") == stored);
      REQUIRE(count("notes") == 1);
      app.db().exec("release host; rollback");
    }
  }
  MESSAGE(calls << " interrupted calls; SQLite ended the transaction in " << ended);
}

TEST_CASE("an enqueue that stored nothing says so") {
  support::AppDatabase app;
  SUBCASE("because an authorizer made nothing of it") {
    sqlite3_set_authorizer(app.db().getHandle(), ignore_inserts, nullptr);
  }
  SUBCASE("because a trigger of the host's ignored it") {
    app.db().exec(
        "create trigger host before insert on outbox_events begin select raise(ignore); end");
  }
  for (const char* dedupe_key : {"", "once"}) {
    CAPTURE(dedupe_key);
    app.db().exec("begin immediate");
    CHECK_THROWS_WITH_AS(enqueue(app.db(), support::event_of("u"), {.dedupe_key = dedupe_key}),
                         doctest::Contains("nothing was stored"), database_error);
    app.db().exec("commit");
  }
  sqlite3_set_authorizer(app.db().getHandle(), nullptr, nullptr);
  CHECK(app.number("select count(*) from outbox_events") == 0);
}

TEST_CASE("an event that is due after the year 2262 is not shown as due long ago") {
  support::AppDatabase app;
  app.db().exec("insert into outbox_events (payload, due_at_ms) values ('{}', 253402300799999)");
  const auto events = list_events(app.db(), {});
  REQUIRE(events.size() == 1);
  CHECK(*events[0].due_at > std::chrono::system_clock::now());
  CHECK(events[0].state == outbox::EventState::scheduled);
}

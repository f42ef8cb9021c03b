// After an erasure nobody finds the person in the bytes on the disk, whatever the file went through
// before: random layouts, each with a seed of its own.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <random>

#include "guarantees/forgotten_person.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

using namespace forgotten;

namespace {

// The suite runs some; OUTBOX_LONG_TESTS=1 runs a thousand.
int layouts() {
  return std::getenv("OUTBOX_LONG_TESTS") == nullptr ? 40 : 1'000;
}

class Layout {
 public:
  explicit Layout(unsigned seed) : random_{seed} {
    const int page = 512 << (pick(8) == 0 ? pick(8) : pick(5));  // few large ones: they take long
    db_ = std::make_unique<SQLite::Database>(folder_.file("app.db"),
                                             SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db_->setBusyTimeout(5000);
    db_->exec("pragma page_size = " + std::to_string(page));
    db_->exec("pragma auto_vacuum = " + std::to_string(pick(3)));
    db_->exec("pragma journal_mode = wal");
    outbox::migrate(*db_);
    // Here, since a table that is made later may take over one of the outbox's pages as it is:
    // that is the host's (docs/security.md).
    db_->exec("create table host (filling)");
    db_->exec(pick(2) == 0 ? "pragma secure_delete = off" : "pragma secure_delete = on");
    if (pick(4) == 0) {
      db_->exec("alter table outbox_events add column host integer as (length(payload)) virtual");
    }
    sizes_ = 1 << pick(12);
  }

  std::string path() const { return folder_.file("app.db"); }
  SQLite::Database& db() { return *db_; }
  int pick(int below) { return std::uniform_int_distribution{0, below - 1}(random_); }

  // What apps and dispatchers do, in no order.
  void live() {
    for (int step = 4 + pick(12); step > 0; --step) {
      switch (pick(8)) {
        case 0:
        case 1:
        case 2:
          enqueue(1 + pick(150));
          break;
        case 3:
          answer();
          break;
        case 4:
          deliver();
          break;
        case 5:
          static_cast<void>(outbox::prune(path(), {.older_than = std::chrono::milliseconds{0},
                                                   .includes_discarded = pick(2) == 0}));
          break;
        case 6:
          db_->exec(
              "update outbox_queue set state = 5, settled_at_ms = 5, due_at_ms = 0"
              " where event % 5 = " +
              std::to_string(pick(5)));
          break;
        default:
          host();
      }
    }
  }

  // Where a trace of the person is.
  std::string traces() const { return forgotten::traces_in(folder_.path()); }

 private:
  void enqueue(int count) {
    SQLite::Transaction transaction{*db_, SQLite::TransactionBehavior::IMMEDIATE};
    for (int i = 0; i < count; ++i) {
      const bool is_amy = pick(6) == 0;
      outbox::EnqueueOptions options{.event_bytes_max = 1'000'000};
      if (pick(3) == 0) options.ordering_key = is_amy ? "user:" + email : "user:tom";
      if (pick(5) == 0) {
        options.dedupe_key = (is_amy ? last_name : "Kept") + std::to_string(keys_++);
      }
      const std::string filling(static_cast<std::size_t>(pick(sizes_)), 'f');
      outbox::enqueue(*db_,
                      outbox::InviteSent{.user_id = "inviter",
                                         .group_id = "group",
                                         .invitee = {.email = is_amy ? email : "tom@achme.com",
                                                     .first_name = is_amy ? first_name : "Tom",
                                                     .last_name = is_amy ? last_name : "Kept",
                                                     .role = "Developer"},
                                         .feature_name = filling},
                      options);
    }
    transaction.commit();
  }

  // As the dispatcher records: overwriting.
  void overwriting(const std::string& sql) {
    const std::string before = db_->execAndGet("pragma secure_delete").getString();
    db_->exec("pragma secure_delete = on");
    db_->exec("begin immediate; " + sql + "; commit");
    db_->exec("pragma secure_delete = " + before);
  }

  // The endpoint refuses some, and quotes those who are to be forgotten.
  void answer() {
    const std::string some = "event % 7 = " + std::to_string(pick(7));
    const std::string amys =
        "event in (select id from outbox_events where payload like '%" + email + "%')";
    overwriting(
        "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
        " last_id, ids, bytes, outcome, reason, warnings) select 'track', 1, 1, 1, event,"
        " event, event, 9, 'refused', iif(" +
        amys + ", 'who is " + first_name + "?', 'who?'), iif(" + amys + ", 'and " + last_name +
        "?', null)"
        " from outbox_queue where " +
        some +
        " limit 20;"
        "update outbox_queue set state = " +
        std::to_string(pick(2) == 0 ? 2 : 4) +
        ", due_at_ms = 0, settled_at_ms = 5, refusals = 1, last_error = 'no " + first_name +
        "' where " + some + " and " + amys);
  }

  void deliver() {
    const std::string some = "event % 3 = " + std::to_string(pick(3)) + " and state in (0, 2)";
    overwriting(
        "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
        " last_id, ids, delivered_ids, bytes, status, outcome) select 'track', 1, 0, 1,"
        " event, event, event, event, 9, 200, 'delivered' from outbox_queue where " +
        some + "; delete from outbox_queue where " + some);
  }

  // Tables of the host's own grow and go.
  void host() {
    const int size = pick(20'000);
    // A free page that the host's own index has left, and its own table takes over as it is, is the
    // host's (docs/security.md).
    if (!has_left_free_)
      db_->exec("insert into host values (zeroblob(" + std::to_string(size) + "))");
    if (pick(2) == 0) db_->exec("delete from host where rowid % 2 = 0");
    if (pick(3) == 0) {  // an index that someone has tried
      db_->exec("create index tried on outbox_events (payload); drop index tried");
      has_left_free_ = db_->execAndGet("pragma secure_delete").getInt() == 0;
    }
    if (pick(6) == 0) db_->exec("pragma incremental_vacuum(3)");
    if (pick(6) == 0) db_->exec("pragma wal_checkpoint(truncate)");
  }

  std::mt19937 random_;
  support::TemporaryFolder folder_;
  std::unique_ptr<SQLite::Database> db_;
  int sizes_ = 1;
  int keys_ = 0;
  bool has_left_free_ = false;
};

// Erases in a process of its own, which is killed after some milliseconds.
void erase_and_be_killed(Layout& layout) {
  const int patience_ms = 1 + layout.pick(60);
  const pid_t child = fork();
  if (child == 0) {
    try {
      static_cast<void>(outbox::erase(layout.path(), outbox::Subject::email(email)));
    } catch (...) {
    }
    _exit(0);
  }
  usleep(static_cast<useconds_t>(patience_ms) * 1'000);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
}

}  // namespace

TEST_CASE("whatever a file went through, an erasure leaves nothing of the person") {
  int found = 0;
  for (int seed = 0; seed < layouts(); ++seed) {
    CAPTURE(seed);
    Layout layout{static_cast<unsigned>(seed)};
    layout.live();
    found += int{!layout.traces().empty()};
    if (layout.pick(4) == 0) erase_and_be_killed(layout);
    std::unique_ptr<SQLite::Database> reader;
    if (layout.pick(4) == 0) {  // keeps the WAL from being cut
      reader = std::make_unique<SQLite::Database>(layout.path());
      reader->exec("begin; select count(*) from outbox_events");
      static_cast<void>(outbox::erase(layout.path(), outbox::Subject::email(email), {},
                                      outbox::Mode::apply, std::chrono::milliseconds{1}));
      reader->exec("commit");
    }

    CHECK(outbox::erase(layout.path(), outbox::Subject::email(email)).is_wal_truncated);

    CHECK(layout.traces() == "");
    CHECK(layout.db().execAndGet("pragma integrity_check").getString() == "ok");
    CHECK(layout.db().execAndGet("select count(*) from outbox_events where id < 0").getInt() == 0);
    CHECK(layout.db()
              .execAndGet("select count(*) from outbox_queue where event not in (select id from"
                          " outbox_events)")
              .getInt() == 0);
  }
  CHECK(found > layouts() / 2);  // or it proves nothing
}

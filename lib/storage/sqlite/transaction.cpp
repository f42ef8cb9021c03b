#include "storage/sqlite/transaction.hpp"

#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

// An interrupt ends whatever runs, also what closes a transaction: it holds until no statement of
// the connection is active (sqlite.org/c3ref/interrupt.html). So closing is tried again; a progress
// handler that always interrupts is the host's own, and leaves nothing to be done.
constexpr int closings_max = 100;

// Ends the transaction of `db`, if it still has one.
void end_transaction(sqlite3* db, const char* sql) noexcept {
  for (int i = 0; i < closings_max && sqlite3_get_autocommit(db) == 0; ++i) {
    sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
  }
}

// SQLite forgets savepoints when it rolls back by itself: then there is nothing to end.
void end_savepoint(sqlite3* db, const char* sql) noexcept {
  for (int i = 0; i < closings_max && sqlite3_get_autocommit(db) == 0; ++i) {
    const int code = sqlite3_exec(db, sql, nullptr, nullptr, nullptr) & 0xFF;
    if (code != SQLITE_INTERRUPT && code != SQLITE_NOMEM && code != SQLITE_BUSY) return;
  }
}

}  // namespace

WriteTransaction::WriteTransaction(sqlite3* db, const char* action,
                                   std::chrono::milliseconds patience, Brackets* kept)
    : db_{db}, action_{action}, patience_{patience}, kept_{kept} {
  while_busy(
      [&] { kept_ != nullptr ? kept_->open.run() : execute(db_, "begin immediate", action_); },
      patience_);
}

WriteTransaction::~WriteTransaction() {
  if (is_open_) end_transaction(db_, "rollback");
}

void WriteTransaction::commit() {
  // A busy COMMIT leaves the transaction open and may be tried again (lang_transaction.html, 2.3).
  while_busy([&] { kept_ != nullptr ? kept_->close.run() : execute(db_, "commit", action_); },
             patience_);
  is_open_ = false;
}

ReadTransaction::ReadTransaction(sqlite3* db, Brackets* kept)
    : db_{db}, kept_{kept}, is_open_{sqlite3_get_autocommit(db) != 0} {
  if (!is_open_) return;
  kept_ != nullptr ? kept_->open.run() : execute(db_, "begin", "read");
}

void ReadTransaction::end() noexcept {
  if (!is_open_) return;
  is_open_ = false;
  // COMMIT of a reader, since ROLLBACK would call the host's rollback hook.
  if (kept_ != nullptr) kept_->close.run_quietly();
  end_transaction(db_, "commit");
  end_transaction(db_, "rollback");
}

SecureDeletion::SecureDeletion(sqlite3* db)
    : db_{db}, before_{query_integer(db, "pragma main.secure_delete", "overwrite").value_or(1)} {
  if (before_ != 1) execute(db_, "pragma main.secure_delete = on", "overwrite");
}

SecureDeletion::~SecureDeletion() {
  if (before_ == 1) return;
  const char* const sql =
      before_ == 0 ? "pragma main.secure_delete = off" : "pragma main.secure_delete = fast";
  sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
}

Savepoint::Savepoint(sqlite3* db, const char* action, Brackets* kept)
    : db_{db}, action_{action}, kept_{kept} {
  kept_ != nullptr ? kept_->open.run() : execute(db_, "savepoint outbox_change", action_);
}

Savepoint::~Savepoint() {
  if (!is_open_) return;
  end_savepoint(db_, "rollback to outbox_change");
  end_savepoint(db_, "release outbox_change");
}

void Savepoint::release() {
  kept_ != nullptr ? kept_->close.run() : execute(db_, "release outbox_change", action_);
  is_open_ = false;
}

}  // namespace outbox::storage

#include "storage/sqlite/transaction.hpp"

#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

// An interrupt ends whatever runs, also what closes a transaction: it holds until no statement of
// the connection is active (sqlite.org/c3ref/interrupt.html). So closing is tried again; a progress
// handler that always interrupts is the host's own, and leaves nothing to be done.
constexpr int closings_max = 100;

// SQLite forgets transactions and savepoints when it rolls back by itself: then there is nothing to
// end. True: the end is reached.
bool end_with(sqlite3* db, Statement& statement) noexcept {
  for (int i = 0; i < closings_max && sqlite3_get_autocommit(db) == 0; ++i) {
    const int code = statement.run_quietly();
    if (code != SQLITE_INTERRUPT && code != SQLITE_NOMEM && code != SQLITE_BUSY) {
      return code == SQLITE_DONE;
    }
  }
  return sqlite3_get_autocommit(db) != 0;
}

// A statement of the host's that has not been stepped to its end, INSERT … RETURNING say, writes
// outside of any transaction that one could see: a COMMIT would fail, and a ROLLBACK take it away.
bool is_writing(sqlite3* db) {
  return sqlite3_txn_state(db, nullptr) == SQLITE_TXN_WRITE;
}

// BEGIN IMMEDIATE locks each file that the host has attached, too, and fails while another
// connection writes one of them. Before the outbox has tables nobody waits for it.
bool has_attached([[maybe_unused]] sqlite3* db) {
#if SQLITE_VERSION_NUMBER >= 3039000
  return sqlite3_db_name(db, 2) != nullptr &&  // behind main and temp
         sqlite3_table_column_metadata(db, "main", "outbox_destinations", nullptr, nullptr, nullptr,
                                       nullptr, nullptr, nullptr) == SQLITE_OK;
#else
  return false;  // nothing tells without reading the file
#endif
}

std::optional<Statement> lock_of_main(sqlite3* db, const char* action, Use use) {
  if (!has_attached(db)) return std::nullopt;
  return std::optional<Statement>{
      std::in_place, db, "update main.outbox_destinations set name = name where 0", action, use};
}

const char* opening(Brackets::Kind kind, bool locks_main_alone) {
  switch (kind) {
    case Brackets::Kind::write:
      return locks_main_alone ? "begin" : "begin immediate";
    case Brackets::Kind::read:
      return "begin";
    case Brackets::Kind::savepoint:
      break;
  }
  return "savepoint outbox_change";
}

}  // namespace

Brackets::Brackets(sqlite3* db, Kind kind, const char* action, Use use)
    : lock{kind == Kind::write ? lock_of_main(db, action, use) : std::nullopt},
      open{db, opening(kind, lock.has_value()), action, use},
      close{db, kind == Kind::savepoint ? "release outbox_change" : "commit", action, use},
      undo{db, kind == Kind::savepoint ? "rollback to outbox_change" : "rollback", action, use} {}

WriteTransaction::WriteTransaction(sqlite3* db, const char* action,
                                   std::chrono::milliseconds patience, Brackets* kept)
    : db_{db}, patience_{patience}, statements_{db, Brackets::Kind::write, action, kept} {
  if (is_writing(db)) {
    throw database_error{SQLITE_MISUSE, "outbox: " + std::string{action} +
                                            ": a statement of this connection has not ended its"
                                            " write (INSERT … RETURNING?): reset it first"};
  }
  while_busy(
      [&] {
        statements_->open.run();
        if (!statements_->lock) return;
        try {
          statements_->lock->run();
        } catch (...) {
          end_with(db_, statements_->close);  // nothing was written, and a hook would be called
          throw;
        }
      },
      patience_);
}

WriteTransaction::~WriteTransaction() {
  if (is_open_) end_with(db_, statements_->undo);
}

void WriteTransaction::commit() {
  // A busy COMMIT leaves the transaction open and may be tried again (lang_transaction.html, 2.3).
  while_busy([&] { statements_->close.run(); }, patience_);
  is_open_ = false;
}

ReadTransaction::ReadTransaction(sqlite3* db, Brackets* kept)
    : db_{db}, is_open_{sqlite3_get_autocommit(db) != 0 && !is_writing(db)} {
  if (!is_open_) return;
  statements_.emplace(db, Brackets::Kind::read, "read", kept);
  (*statements_)->open.run();
}

void ReadTransaction::end() noexcept {
  if (!is_open_) return;
  is_open_ = false;
  // COMMIT of a reader, since ROLLBACK would call the host's rollback hook.
  if (!end_with(db_, (*statements_)->close)) end_with(db_, (*statements_)->undo);
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
    : db_{db}, statements_{db, Brackets::Kind::savepoint, action, kept} {
  statements_->open.run();
}

Savepoint::~Savepoint() {
  if (!is_open_) return;
  end_with(db_, statements_->undo);
  end_with(db_, statements_->close);
}

void Savepoint::release() {
  statements_->close.run();
  is_open_ = false;
}

}  // namespace outbox::storage

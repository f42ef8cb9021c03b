#pragma once

// Guards for what the library does inside a connection: write transactions of its own, savepoints
// in the host's, and the host's last_insert_rowid. They ask SQLite whether a transaction is still
// open, since SQLite itself rolls back when the disk is full or fails
// (sqlite.org/lang_transaction.html, 3).

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "outbox/errors.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// How long a statement is tried again while another connection writes. A host's own connection may
/// have no busy timeout, and it is not ours to set.
inline constexpr std::chrono::milliseconds busy_patience{5'000};

/// Calls `action` until it does not end in a busy `database_error`, for `patience` at most.
template <class Action>
auto while_busy(Action action, std::chrono::milliseconds patience = busy_patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    try {
      return action();
    } catch (const database_error& error) {
      if (!error.is_busy() || std::chrono::steady_clock::now() >= deadline) throw;
      sqlite3_sleep(2);
    }
  }
}

/// The statements around what belongs together. They are prepared before it begins, since without
/// memory none could be prepared that ends it; kept for hot paths.
/// Lifetime: must be destroyed before its connection is closed.
struct Brackets {
  enum class Kind { write, read, savepoint };

  Brackets(sqlite3* db, Kind kind, const char* action, Use use);

  std::optional<Statement> lock;  // of main alone, for a write where other files are attached
  Statement open;
  Statement close;
  Statement undo;  // of a savepoint: `close` must follow
};

/// Brackets that are the caller's or its own.
class KeptBrackets {
 public:
  KeptBrackets(sqlite3* db, Brackets::Kind kind, const char* action, Brackets* kept) {
    kept_ = kept != nullptr ? kept : &own_.emplace(db, kind, action, Use::once);
  }
  KeptBrackets(const KeptBrackets&) = delete;
  KeptBrackets& operator=(const KeptBrackets&) = delete;
  Brackets* operator->() { return kept_; }

 private:
  std::optional<Brackets> own_;
  Brackets* kept_;
};

/// A write transaction on `main`; rolled back unless committed. Waits for other writers for
/// `patience`.
/// Requires: no transaction is open on `db`. Throws: `database_error`, also while a statement of
/// the host's has not ended its write.
class WriteTransaction {
 public:
  WriteTransaction(sqlite3* db, const char* action,
                   std::chrono::milliseconds patience = busy_patience, Brackets* kept = nullptr);
  ~WriteTransaction();
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  void commit();

 private:
  sqlite3* db_;
  std::chrono::milliseconds patience_;
  KeptBrackets statements_;
  bool is_open_ = true;
};

/// Reads everything of one moment; inside the caller's transaction, or beside a write of the
/// caller's that has not ended, it does nothing. Not for writing.
class ReadTransaction {
 public:
  explicit ReadTransaction(sqlite3* db, Brackets* kept = nullptr);
  ~ReadTransaction() { end(); }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  void end() noexcept;

 private:
  sqlite3* db_;
  bool is_open_;
  std::optional<KeptBrackets> statements_;  // none: the caller's transaction
};

/// A savepoint in the transaction that is open on `db`; undone unless released.
class Savepoint {
 public:
  Savepoint(sqlite3* db, const char* action, Brackets* kept = nullptr);
  ~Savepoint();
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;

  void release();

 private:
  sqlite3* db_;
  KeptBrackets statements_;
  bool is_open_ = true;
};

/// Puts `last_insert_rowid()` back, which the host may be about to read.
class KeptRowid {
 public:
  explicit KeptRowid(sqlite3* db) : db_{db}, rowid_{sqlite3_last_insert_rowid(db)} {}
  ~KeptRowid() { sqlite3_set_last_insert_rowid(db_, rowid_); }
  KeptRowid(const KeptRowid&) = delete;
  KeptRowid& operator=(const KeptRowid&) = delete;

 private:
  sqlite3* db_;
  std::int64_t rowid_;
};

/// Overwrites what is deleted or moved (sqlite.org/pragma.html#pragma_secure_delete) until the end
/// of a scope: events are about people. Then the connection is as the host had it.
class SecureDeletion {
 public:
  explicit SecureDeletion(sqlite3* db);
  ~SecureDeletion();
  SecureDeletion(const SecureDeletion&) = delete;
  SecureDeletion& operator=(const SecureDeletion&) = delete;

 private:
  sqlite3* db_;
  std::int64_t before_;  // 0 off, 1 on, 2 fast
};

/// Runs `change` in a transaction of its own, or as a savepoint of the one that is open.
template <class Change>
void change_atomically(sqlite3* db, const char* action, Change change,
                       std::chrono::milliseconds patience = busy_patience) {
  const KeptRowid kept{db};
  const SecureDeletion secure{db};
  if (sqlite3_get_autocommit(db) != 0) {
    WriteTransaction transaction{db, action, patience};
    change();
    transaction.commit();
  } else {
    Savepoint savepoint{db, action};
    change();
    savepoint.release();
  }
}

}  // namespace outbox::storage

#pragma once

// A connection of the library's own to the app's database.

#include <functional>
#include <memory>

#include "outbox/connection.hpp"
#include "outbox/errors.hpp"
#include "storage/sqlite/transaction.hpp"

namespace SQLite {
class Database;
}

namespace outbox::storage {

struct CloseDatabase {
  void operator()(SQLite::Database* database) const noexcept;
};
using OpenDatabase = std::unique_ptr<SQLite::Database, CloseDatabase>;

/// `file` with an absolute path, so that a later chdir changes nothing.
/// Throws: `std::invalid_argument` for a memory or temporary database.
DatabaseFile with_absolute_path(DatabaseFile file);

/// Opens `file`, which must exist, for one thread, and sets what the dispatcher wants of its own
/// connection. Waits for other writers with short sleeps, while opening for `patience` at most.
///
/// Throws: `database_error` when it cannot be opened; what `after_open` throws.
OpenDatabase open_database(const DatabaseFile& file,
                           std::chrono::milliseconds patience = busy_patience);

sqlite3* handle_of(const OpenDatabase& database);

/// While it lives, `db`, which `open_database` has opened, waits for no other connection's lock.
class WithoutWaiting {
 public:
  explicit WithoutWaiting(sqlite3* db);
  ~WithoutWaiting();
  WithoutWaiting(const WithoutWaiting&) = delete;
  WithoutWaiting& operator=(const WithoutWaiting&) = delete;

 private:
  sqlite3* db_;
};

/// The path of the file behind `main`, as SQLite opened it; empty: a memory database.
std::string path_of(sqlite3* db);

/// What tells the file at `path` from a copy of it; empty: there is no such file.
std::string identity_of(const std::string& path);

/// True when the file that `db` has open is not at its path any more: removed, renamed, replaced.
bool has_moved(sqlite3* db);

/// Throws: `database_error` for a connection that is read-only, or that `PRAGMA query_only` keeps
/// from writing. What was sent could not be recorded there.
void require_writable(sqlite3* db);

/// True when others than the file's owner and group may read it, and come through its folders.
bool is_readable_by_others(const std::string& path);

/// How many copies of SQLite are loaded in this process, as far as they show themselves. Two of
/// them take each other's locks away (sqlite.org/howtocorrupt.html, 2.2.1).
int sqlite_copies();

/// Throws: `std::runtime_error` for a SQLite with the WAL-reset bug, or two copies of it.
void require_safe_sqlite();

/// False: SQLite was built or configured for a single thread (SQLITE_THREADSAFE=0,
/// SQLITE_CONFIG_SINGLETHREAD), so that connections of two threads damage each other's work.
bool is_threadsafe();

/// Whether a statement was ended as by `EndsWhen`.
bool is_interrupt(const database_error& error);

/// While it lives, a statement of `db` that takes long ends with SQLITE_INTERRUPT once `is_over()`.
/// Threads: that of the connection, which `is_over` is called on.
class EndsWhen {
 public:
  EndsWhen(sqlite3* db, std::function<bool()> is_over);
  ~EndsWhen();
  EndsWhen(const EndsWhen&) = delete;
  EndsWhen& operator=(const EndsWhen&) = delete;

 private:
  sqlite3* db_;
  std::function<bool()> is_over_;
};

}  // namespace outbox::storage

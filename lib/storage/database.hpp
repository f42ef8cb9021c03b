#pragma once

// A connection of the library's own to the app's database.

#include <memory>

#include "outbox/connection.hpp"
#include "storage/transaction.hpp"

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

/// The path of the file behind `main`, as SQLite opened it; empty: a memory database.
std::string path_of(sqlite3* db);

}  // namespace outbox::storage

#pragma once

// SQLite's and libcurl's own interfaces, without a library between: what the rest is compared with.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace bench::raw {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

/// Throws: `std::runtime_error`, as all below.
Database open(const std::string& path, int more_flags = 0);
Statement prepare(const Database& db, const char* sql);
void execute(const Database& db, const char* sql);
/// Runs a statement that returns no rows, and resets it.
void run(const Statement& statement);
/// Bound for as long as `text` lives.
void bind(const Statement& statement, int at, std::string_view text);

/// An event's row in the library's log, written with one prepared statement and nothing else; the
/// trigger of the library's tables queues it.
class EventInsert {
 public:
  explicit EventInsert(const Database& db);
  void run(std::string_view payload);

 private:
  Statement insert_;
};

/// Whose tables a loop drains.
enum class Tables {
  one,           ///< The one table of `make_one_table`, with an UPDATE a mark.
  log_and_queue  ///< The library's.
};
enum class Checkpoints { automatic, none };

struct DrainOptions {
  Tables tables = Tables::one;
  std::size_t batch_events = 500;
  std::size_t connections = 1;
  Checkpoints checkpoints = Checkpoints::automatic;  ///< none: the WAL keeps every frame.
};

/// select -> POST -> mark until nothing is pending: one transaction a batch, the body concatenated
/// from the stored payloads. Returns how many events were marked.
std::uint64_t drain(const std::string& path, const std::string& url, const DrainOptions& options);

}  // namespace bench::raw

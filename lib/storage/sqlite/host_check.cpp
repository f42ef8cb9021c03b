#include <exception>

#include "core/sqlite_version.hpp"
#include "outbox/migrate.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox {

namespace {

// Before 3.38 they were an option of the build: without them the tables can be made, and lists,
// filters and requeue fail.
bool has_json_functions(sqlite3* db) {
  try {
    return storage::query_text(db, "select json_extract('[1]', '$[0]')", "check the host") == "1";
  } catch (const std::exception&) {  // no such function
    return false;
  }
}

}  // namespace

inline namespace v1 {

std::vector<HostProblem> check_host(ConnectionRef connection) {
  sqlite3* const db = connection.handle();
  constexpr auto action = "check the host";
  std::vector<HostProblem> problems;
  const std::string journal = storage::query_text(db, "pragma main.journal_mode", action);
  if (const char* const file = sqlite3_db_filename(db, "main"); file == nullptr || *file == '\0') {
    problems.push_back(
        {"journal_mode",
         "this is a memory database: a dispatcher needs a file; deliver_once works on "
         "this connection"});
  } else if (journal != "wal") {
    problems.push_back({"journal_mode", "journal_mode is " + journal +
                                            ": run PRAGMA journal_mode=WAL once, so that the "
                                            "dispatcher and the host do not lock each other out"});
  }
  if (storage::query_text(db, "pragma main.locking_mode", action) == "exclusive") {
    problems.push_back({"locking_mode",
                        "locking_mode is exclusive: the dispatcher cannot use the database beside "
                        "this connection; PRAGMA locking_mode=NORMAL"});
  }
  // Also 0 when the host has a busy handler of its own, which SQLite does not show.
  if (storage::query_integer(db, "pragma busy_timeout", action).value_or(0) <= 0) {
    problems.push_back({"busy_timeout",
                        "no busy timeout: call sqlite3_busy_timeout(db, 5000) on every connection "
                        "that writes (unless it has a busy handler of its own), and begin "
                        "transactions that write with BEGIN IMMEDIATE"});
  }
  if (storage::query_integer(db, "pragma main.synchronous", action).value_or(2) == 0) {
    problems.push_back({"synchronous",
                        "synchronous is OFF: a power cut can lose commits and damage the database; "
                        "PRAGMA synchronous=FULL"});
  }
  int has_triggers = 1;
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &has_triggers);
  if (has_triggers == 0) {
    problems.push_back({"triggers",
                        "triggers are switched off on this connection: outbox::enqueue works, but "
                        "an event inserted by SQL is only seen when a dispatcher starts; switch "
                        "SQLITE_DBCONFIG_ENABLE_TRIGGER on"});
  }
  if (!has_json_functions(db)) {
    problems.push_back({"sqlite_json", "SQLite " + std::string{sqlite3_libversion()} +
                                           " was built without its JSON functions: build it with "
                                           "SQLITE_ENABLE_JSON1, or use 3.38 or newer"});
  }
  if (!storage::is_threadsafe()) {
    problems.push_back({"sqlite_threads",
                        "SQLite was built or configured for a single thread: a dispatcher, which "
                        "has one of its own, is refused; use deliver_once"});
  }
  if (core::has_wal_reset_bug(sqlite3_libversion_number())) {
    problems.push_back(
        {"sqlite_version", "SQLite " + std::string{sqlite3_libversion()} +
                               " has the WAL-reset bug, by which commits can be lost "
                               "in rare cases: docs/operations.md"});
  }
  return problems;
}

}  // namespace v1
}  // namespace outbox

#include "storage/database.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <filesystem>

#include "outbox/errors.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr int busy_sleep_us = 200;
constexpr int busy_tries_max = 5'000'000 / busy_sleep_us;  // about 5 s

// SQLite's own busy handler sleeps up to 100 ms and loses to a busy writer: 1 % of the marks got
// in, with short sleeps 99 % (measured, docs/decisions.md).
int sleep_while_busy(void*, int tries) {
  if (tries >= busy_tries_max) return 0;
  sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  if (vfs != nullptr) vfs->xSleep(vfs, busy_sleep_us);
  return 1;
}

bool is_uri(const std::string& path) {
  return path.rfind("file:", 0) == 0;
}

void configure(sqlite3* db) {
  constexpr auto action = "configure the connection";
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, sleep_while_busy, nullptr);
  // Events are about people: what is deleted or overwritten is gone from the file.
  execute(db, "pragma secure_delete = on", action);
  // An I/O error under mmap is a SIGBUS (sqlite.org/mmap.html).
  execute(db, "pragma mmap_size = 0", action);
  execute(db, "pragma trusted_schema = off", action);
  // In WAL, NORMAL can lose a mark in a power cut, which costs a duplicate and never an event. In
  // other journal modes it could harm the file.
  if (query_text(db, "pragma main.journal_mode", action) == "wal") {
    execute(db, "pragma synchronous = normal", action);
  }
}

}  // namespace

void CloseDatabase::operator()(SQLite::Database* database) const noexcept {
  delete database;
}

DatabaseFile with_absolute_path(DatabaseFile file) {
  const bool is_memory = file.path.empty() || file.path.find(":memory:") != std::string::npos ||
                         file.path.find("mode=memory") != std::string::npos;
  if (is_memory) {
    throw std::invalid_argument{
        "outbox: a memory database belongs to one connection, and a dispatcher opens its own: call "
        "deliver_once on the connection that has it"};
  }
  if (!is_uri(file.path)) file.path = std::filesystem::absolute(file.path).native();
  return file;
}

OpenDatabase open_database(const DatabaseFile& file) {
  // Never OPEN_CREATE: an empty database at a mistyped path helps nobody.
  const int flags =
      SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX | (is_uri(file.path) ? SQLite::OPEN_URI : 0);
  OpenDatabase database;
  try {
    database.reset(new SQLite::Database{file.path, flags, 0, file.vfs});
  } catch (const SQLite::Exception& error) {
    throw database_error{error.getExtendedErrorCode(),
                         "outbox: cannot open " + file.path + ": " + error.what()};
  }
  if (file.after_open) file.after_open(database->getHandle());
  while_busy([&] { configure(database->getHandle()); });
  return database;
}

sqlite3* handle_of(const OpenDatabase& database) {
  return database->getHandle();
}

std::string path_of(sqlite3* db) {
  const char* const path = sqlite3_db_filename(db, "main");
  return path == nullptr ? std::string{} : std::string{path};
}

}  // namespace outbox::storage

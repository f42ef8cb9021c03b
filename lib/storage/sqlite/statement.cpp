#include "storage/sqlite/statement.hpp"

#include <new>

#include "outbox/errors.hpp"

namespace outbox::storage {

void throw_error(sqlite3* db, int code, const char* action) {
  const std::string message = sqlite3_errmsg(db);
  if (message.find("no such table: main.outbox_") != std::string::npos) {
    throw schema_error{no_schema_text};
  }
  std::string text = "outbox: " + std::string{action} + ": " + message;
  const int extended = sqlite3_extended_errcode(db);
  if (extended == SQLITE_BUSY_SNAPSHOT) {
    text += " (the transaction read before it wrote: begin it with BEGIN IMMEDIATE)";
  }
  if ((extended & 0xFF) == SQLITE_BUSY && extended != SQLITE_BUSY_SNAPSHOT) {
    text += " (another connection writes, or holds it with locking_mode=EXCLUSIVE)";
  }
  // A host may not have asked for extended codes on its connection.
  throw database_error{(extended & 0xFF) == (code & 0xFF) ? extended : code, text};
}

void execute(sqlite3* db, const char* sql, const char* action) {
  const int code = sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw_error(db, code, action);
}

std::optional<std::int64_t> query_integer(sqlite3* db, const char* sql, const char* action) {
  Statement statement{db, sql, action};
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return statement.integer(0);
}

std::string query_text(sqlite3* db, const char* sql, const char* action) {
  Statement statement{db, sql, action};
  return statement.step() ? statement.text(0) : std::string{};
}

Statement::Statement(sqlite3* db, const char* sql, const char* action, Use use)
    : db_{db}, action_{action} {
  const unsigned flags = use == Use::often ? SQLITE_PREPARE_PERSISTENT : 0;
  check(sqlite3_prepare_v3(db, sql, -1, flags, &handle_, nullptr));
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

Statement& Statement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(handle_, index, value));
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  // An empty view may have no data, which SQLite would take for NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  check(sqlite3_bind_text64(handle_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_terminated(int index, const std::string& text) {
  constexpr int up_to_nul = -1;
  check(sqlite3_bind_text(handle_, index, text.c_str(), up_to_nul, SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind(int index, std::nullopt_t) {
  check(sqlite3_bind_null(handle_, index));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  // Left as it is, the statement would answer every later step with SQLITE_MISUSE.
  const int extended = sqlite3_extended_errcode(db_);
  try {
    throw_error(db_, extended, action_);
  } catch (...) {
    sqlite3_reset(handle_);
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

int Statement::run_quietly() noexcept {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(handle_) & 0xFF;
  reset();
  return code;
}

bool Statement::was_prepared_anew() noexcept {
  constexpr int starts_again = 1;
  return sqlite3_stmt_status(handle_, SQLITE_STMTSTATUS_REPREPARE, starts_again) > 0;
}

void Statement::reset() noexcept {
  sqlite3_reset(handle_);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
  return std::string{view(column)};
}

// SQLite answers a failed allocation, e.g. for the UTF-8 of a UTF-16 database, like a null. Taken
// for an empty text, an event would be sent as nothing and marked.
std::string_view Statement::view(int column) const {
  if (is_null(column)) return {};
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (data == nullptr) throw std::bad_alloc{};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

void Statement::check(int code) {
  if (code != SQLITE_OK) throw_error(db_, code, action_);
}

}  // namespace outbox::storage

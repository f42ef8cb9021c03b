#pragma once

// A prepared statement on a connection that someone else owns. SQLiteCpp's own needs a
// SQLite::Database, which cannot be made from the bare handle that a host lends us.

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::storage {

/// What a `schema_error` says of a file without the tables: it may be another application's.
inline constexpr auto no_schema_text =
    "outbox: the database has no outbox tables: is it the right file? If so, call outbox::migrate, "
    "or run `outbox migrate`";

/// Throws what SQLite's `code` on `db` means: `schema_error` for a missing outbox table, else
/// `database_error`. `action` says what was being done, e.g. "take".
[[noreturn]] void throw_error(sqlite3* db, int code, const char* action);

/// Runs statements that return no rows. Throws: as `throw_error`.
void execute(sqlite3* db, const char* sql, const char* action);

/// The first column of the first row of `sql`; none: no row, or null. Throws: as `throw_error`.
std::optional<std::int64_t> query_integer(sqlite3* db, const char* sql, const char* action);
std::string query_text(sqlite3* db, const char* sql, const char* action);

/// For columns in which null says what an empty text means: there is none.
inline std::optional<std::string_view> text_or_null(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>{text};
}

enum class Use { once, often };

/// Lifetime: must be destroyed before its connection is closed.
class Statement {
 public:
  /// Throws: as `throw_error`.
  Statement(sqlite3* db, const char* sql, const char* action, Use use = Use::once);
  Statement(sqlite3* db, const std::string& sql, const char* action, Use use = Use::once)
      : Statement{db, sql.c_str(), action, use} {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Indexes count from 1, as in SQL. Texts are borrowed until `reset`.
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::nullopt_t);
  /// As `bind`, for a text that CHECK constraints look at: one that is bound by its length has no
  /// NUL at its end, and each of their functions would copy it first. Requires: no NUL in it.
  Statement& bind_terminated(int index, const std::string& text);
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, std::nullopt);
  }

  /// True: there is a row. Throws: as `throw_error`.
  bool step();
  /// Steps to the end and resets.
  void run();
  /// The same for the end of a scope, where nothing can be done about an error. Returns SQLite's
  /// primary result code.
  int run_quietly() noexcept;
  void reset() noexcept;
  /// Whether SQLite has prepared it again since this was asked last, because the schema has
  /// changed.
  bool was_prepared_anew() noexcept;

  // Columns count from 0.
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  /// As `text`, without a copy; empty for null. Until the next step or reset.
  std::string_view view(int column) const;

 private:
  void check(int code);

  sqlite3* db_;
  const char* action_;
  sqlite3_stmt* handle_ = nullptr;
};

/// Resets a statement at the end of a scope: an un-reset one keeps its snapshot, and the WAL grows.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_{statement} {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

}  // namespace outbox::storage

#pragma once

// How the library is lent the app's own connection, and how it opens one of its own.

#include <concepts>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "outbox/export.hpp"

struct sqlite3;

namespace outbox {
inline namespace v1 {

/// A loan of the app's open connection for the length of one call. Made implicitly from a
/// `sqlite3*` and from anything with `getHandle()`, such as `SQLite::Database`.
///
/// Throws: `std::invalid_argument` when the handle is null: the connection is closed, or was moved
/// from.
///
/// Threads: the connection is used on the calling thread only. The library installs no hook and
/// no busy handler on it, leaves no pragma changed, and puts `last_insert_rowid()` back.
class ConnectionRef {
 public:
  ConnectionRef(sqlite3* handle) : handle_{handle} {
    if (handle == nullptr) {
      throw std::invalid_argument{"outbox: the connection is null: closed, or moved from"};
    }
  }
  ConnectionRef(std::nullptr_t) = delete;

  template <class Connection>
  requires requires(Connection& connection) {
    { connection.getHandle() } -> std::convertible_to<sqlite3*>;
  }
  ConnectionRef(Connection& connection)
      : ConnectionRef{static_cast<sqlite3*>(connection.getHandle())} {}

  sqlite3* handle() const noexcept { return handle_; }

 private:
  sqlite3* handle_;
};

/// How a dispatcher opens the app's database: a path, or a path with a recipe. A database is never
/// created, and a relative path is made absolute at once, so that a later chdir changes nothing.
///
///     outbox::Dispatcher dispatcher{"app.db", …};
///     outbox::Dispatcher dispatcher{{"app.db", {}, [](sqlite3* db) { unlock(db); }}, …};
struct DatabaseFile {
  DatabaseFile(const char* path_) : path{path_} {}
  DatabaseFile(std::nullptr_t) = delete;
  DatabaseFile(std::string_view path_) : path{path_} {}
  DatabaseFile(std::string path_, std::string vfs_ = {},
               std::function<void(sqlite3*)> after_open_ = {})
      : path{std::move(path_)}, vfs{std::move(vfs_)}, after_open{std::move(after_open_)} {}

  /// From a std::filesystem::path, without including its header here.
  template <class Path>
  requires requires(const Path& p) {
    { p.native() } -> std::convertible_to<std::string>;
  }
  DatabaseFile(const Path& path_) : path{path_.native()} {}

  std::string path;
  /// Name of a registered SQLite VFS; empty: the default one.
  std::string vfs;
  /// Called right after each open on the thread that opened, before any other statement: encryption
  /// keys, extensions, pragmas. What it throws counts as a failure to open. Afterwards the library
  /// sets its own busy handler, secure_delete and mmap_size, and in WAL
  /// synchronous; a progress handler is taken away.
  std::function<void(sqlite3*)> after_open;
};

}  // namespace v1
}  // namespace outbox

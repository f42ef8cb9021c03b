#pragma once

// The database as files: itself, and what SQLite and the dispatchers keep beside it.

#include <SQLiteCpp/Database.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "globals.hpp"

namespace cli {

/// Which file is at a path; all zero: none.
struct FileId {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const FileId&) const = default;
};
FileId file_at(const std::string& path);

/// A connection that reads for long. A restore may put another file into the place of the one that
/// it has open, which nobody writes any more.
class FollowedDatabase {
 public:
  /// Throws: as `open_database`.
  explicit FollowedDatabase(const Globals& globals);

  SQLite::Database& db() { return *db_; }

  /// Opens the database again when another file is in its place: then true. Throws: the same.
  bool follow();

 private:
  const Globals& globals_;
  FileId file_;
  std::unique_ptr<SQLite::Database> db_;
};

/// The database's own path when `--db` is a link to it: SQLite keeps its other files beside that.
std::filesystem::path path_of_database(const Globals& globals);

/// The -wal, -shm and -journal of the database and the dispatchers' locks, whether they are there
/// or not.
std::vector<std::filesystem::path> files_beside_database(const Globals& globals);

/// What keeps this user from writing the database or its folder, and what helps; empty: nothing.
std::string write_problem(const Globals& globals);

/// Throws: `Failure` when what `flag` wants to write to `path` would replace this database, a file
/// of it, or any other database.
void require_no_database(const Globals& globals, const std::string& flag, const std::string& path);

}  // namespace cli

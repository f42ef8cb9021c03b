#pragma once

// The database as files: itself, and what SQLite and the dispatchers keep beside it.

#include <filesystem>
#include <string>
#include <vector>

#include "globals.hpp"

namespace cli {

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

#include "database_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "format.hpp"

namespace cli {

namespace {

namespace fs = std::filesystem;

// Also when nothing is there yet: a file that is made beside the database is read by SQLite.
bool has_name_of(const fs::path& target, const std::vector<fs::path>& files) {
  std::error_code error;
  const fs::path place = fs::weakly_canonical(fs::absolute(target, error), error);
  return std::find(files.begin(), files.end(), place) != files.end();
}

// Through a symbolic or hard link too.
bool leads_to_one_of(const fs::path& target, const std::vector<fs::path>& files) {
  return std::any_of(files.begin(), files.end(), [&target](const fs::path& file) {
    std::error_code error;
    return fs::equivalent(target, file, error);
  });
}

bool begins_as_database(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;  // a pipe would wait
  constexpr std::string_view mark = "SQLite format 3";
  std::string begin(mark.size(), '\0');
  std::ifstream{path, std::ios::binary}.read(begin.data(),
                                             static_cast<std::streamsize>(begin.size()));
  return begin == mark;
}

}  // namespace

FileId file_at(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return {};
  return {.device = facts.st_dev, .number = facts.st_ino};
}

// The file is looked at first: one that is replaced meanwhile is seen at the next look.
FollowedDatabase::FollowedDatabase(const Globals& globals)
    : globals_{globals},
      file_{file_at(globals.db)},
      db_{std::make_unique<SQLite::Database>(open_database(globals, Access::read))} {}

bool FollowedDatabase::follow() {
  const FileId now = file_at(globals_.db);
  if (now == file_) return false;
  db_ = std::make_unique<SQLite::Database>(open_database(globals_, Access::read));
  file_ = now;
  return true;
}

fs::path path_of_database(const Globals& globals) {
  std::error_code error;
  return fs::weakly_canonical(fs::absolute(globals.db, error), error);
}

std::vector<fs::path> files_beside_database(const Globals& globals) {
  const fs::path database = path_of_database(globals);
  std::vector<fs::path> files;
  for (const char* end : {"-wal", "-shm", "-journal"}) files.push_back(database.native() + end);
  const std::string lock = database.filename().native() + "-outbox-";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{database.parent_path(), error}) {
    if (entry.path().filename().native().starts_with(lock)) files.push_back(entry.path());
  }
  return files;
}

std::string write_problem(const Globals& globals) {
  const fs::path database = path_of_database(globals);
  const auto is_refused = [](const fs::path& path) {
    return faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno != ENOENT;
  };
  const bool is_file = is_refused(database);
  if (!is_file && !is_refused(database.parent_path())) return {};
  return "this user may not write " +
         escaped(is_file ? database.native() : database.parent_path().native()) +
         (is_file ? "" : ", where SQLite keeps the -wal and -shm of the database") +
         ": run as a user who may, or correct its mode";
}

void require_no_database(const Globals& globals, const std::string& flag, const std::string& path) {
  std::vector<fs::path> files = files_beside_database(globals);
  files.push_back(path_of_database(globals));
  // In this order: to open and close a file of the database would drop SQLite's locks on it.
  const bool is_of_this = has_name_of(path, files) || leads_to_one_of(path, files);
  if (!is_of_this && !begins_as_database(path)) return;
  throw Failure{usage, flag + ": " + escaped(path) + " is " +
                           (is_of_this ? "the database or a file of it" : "a database") +
                           ", which this would destroy: name another file. Nothing was changed"};
}

}  // namespace cli

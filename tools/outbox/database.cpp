#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "format.hpp"
#include "globals.hpp"

namespace cli {

namespace {

// A CLI run by another user would leave -wal and -shm files that the server cannot write.
void require_owner(const Globals& globals, const struct stat& facts) {
  if (facts.st_uid == geteuid() || globals.allows_other_user) return;
  throw Failure{usage, globals.db + " belongs to another user (uid " +
                           std::to_string(facts.st_uid) + "): run `sudo -u '#" +
                           std::to_string(facts.st_uid) +
                           "' outbox …`, or give --allow-other-user if you know that it may write "
                           "what you leave behind"};
}

std::filesystem::path folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path{path}.parent_path();
  return folder.empty() ? "." : folder;
}

// False: there is no such file. Throws for what can be no database, or may not be made.
bool is_there(const Globals& globals, Access access) {
  struct stat facts {};
  if (stat(globals.db.c_str(), &facts) == 0) {
    if (S_ISDIR(facts.st_mode)) throw Failure{usage, globals.db + " is a folder, not a database"};
    require_owner(globals, facts);
    return true;
  }
  const int error = errno;
  struct stat folder {};
  if (error == ENOENT && stat(folder_of(globals.db).c_str(), &folder) != 0) {
    throw Failure{usage, "no database at " + globals.db + ": the folder " +
                             folder_of(globals.db).native() + " does not exist"};
  }
  if (error != ENOENT || access != Access::create) {
    throw Failure{usage, "no database at " + globals.db + ": " + std::strerror(error)};
  }
  return false;
}

// A file from elsewhere may hold a query without an end: one that gives no row for so long.
constexpr int look_every = 100'000;  // steps of SQLite's virtual machine: a millisecond or so

class ReadLimit {
 public:
  void watch(sqlite3* db, std::chrono::milliseconds silence_max) {
    silence_max_ = silence_max;
    sqlite3_trace_v2(db, SQLITE_TRACE_ROW | SQLITE_TRACE_STMT, &ReadLimit::on_progress, this);
    sqlite3_progress_handler(db, look_every, &ReadLimit::on_steps, this);
  }

 private:
  static int on_progress(unsigned, void* self, void*, void*) {
    static_cast<ReadLimit*>(self)->since_ = std::chrono::steady_clock::now();
    return 0;
  }
  static int on_steps(void* self) {
    const auto& limit = *static_cast<ReadLimit*>(self);
    return std::chrono::steady_clock::now() - limit.since_ > limit.silence_max_ ? 1 : 0;
  }

  std::chrono::milliseconds silence_max_{0};
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace

SQLite::Database open_database(const Globals& globals, Access access) {
  if (globals.db.empty()) throw Failure{usage, "no database: give --db PATH or set OUTBOX_DB"};
  if (globals.db == ":memory:")
    throw Failure{usage, "--db: a memory database ends with the command"};
  const bool is_new = !is_there(globals, access);
  umask(0077);  // what is made here holds people's data
  const int flags = SQLite::OPEN_READWRITE | (access == Access::create ? SQLite::OPEN_CREATE : 0);
  constexpr int busy_timeout_ms = 5'000;
  SQLite::Database db{globals.db, flags, busy_timeout_ms};
  if (is_new) db.exec("pragma journal_mode = wal");  // an existing one is its owner's to change
  if (access == Access::read) {
    static ReadLimit limit;  // outlives every connection of this process
    limit.watch(db.getHandle(), duration_of(globals.read_timeout));
    db.exec("pragma query_only = on");
  }
  return db;
}

std::string cause_of_trouble(const Globals& globals) {
  struct statvfs facts {};
  const auto folder = folder_of(globals.db);
  if (globals.db.empty() || statvfs(folder.c_str(), &facts) != 0) return {};
  // SQLite reports a full disk as an I/O error when it cannot grow the -shm file.
  constexpr unsigned long room_bytes_min = 128 * 1024;
  if (facts.f_bavail * facts.f_frsize >= room_bytes_min) return {};
  return ": the disk of " + folder.native() + " is full";
}

std::string hint(const Globals& globals, const std::string& command) {
  const char* const from_environment = std::getenv("OUTBOX_DB");
  const bool is_known = from_environment != nullptr && globals.db == from_environment;
  return "outbox " + command + (is_known ? "" : " --db " + escaped(shell_quoted(globals.db)));
}

std::string with_hints(const Globals& globals, const std::string& text) {
  constexpr std::string_view mark = "`outbox ";
  std::string result;
  std::size_t at = 0;
  for (;;) {
    const std::size_t begin = text.find(mark, at);
    const std::size_t end =
        begin == std::string::npos ? begin : text.find('`', begin + mark.size());
    if (end == std::string::npos) return result + text.substr(at);
    const std::size_t command = begin + mark.size();
    result += text.substr(at, begin - at) + "`" +
              hint(globals, text.substr(command, end - command)) + "`";
    at = end + 1;
  }
}

}  // namespace cli

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

}  // namespace

SQLite::Database open_database(const Globals& globals, Access access) {
  if (globals.db.empty()) throw Failure{usage, "no database: give --db PATH or set OUTBOX_DB"};
  if (globals.db == ":memory:")
    throw Failure{usage, "--db: a memory database ends with the command"};
  struct stat facts {};
  const bool is_there = stat(globals.db.c_str(), &facts) == 0;
  if (is_there) {
    require_owner(globals, facts);
  } else if (access != Access::create) {
    throw Failure{usage, "no database at " + globals.db + ": " + std::strerror(errno)};
  }
  umask(0077);  // what is made here holds people's data
  const int flags = SQLite::OPEN_READWRITE | (access == Access::create ? SQLite::OPEN_CREATE : 0);
  constexpr int busy_timeout_ms = 5'000;
  SQLite::Database db{globals.db, flags, busy_timeout_ms};
  if (access == Access::read) db.exec("pragma query_only = on");
  return db;
}

}  // namespace cli

#include "storage/sqlite/database.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <vector>

#include "core/encoding.hpp"
#include "core/file_system.hpp"
#include "core/sqlite_version.hpp"
#include "outbox/errors.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

constexpr int busy_sleep_us = 200;
// About 100 ms, so that a dispatcher that is to stop does so. A caller that can wait longer tries
// again.
constexpr int busy_tries_max = 100'000 / busy_sleep_us;

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
  // Events are about people: what is deleted or overwritten is gone from the file.
  execute(db, "pragma secure_delete = on", action);
  // An I/O error under mmap is a SIGBUS (sqlite.org/mmap.html).
  execute(db, "pragma mmap_size = 0", action);
  // In WAL, NORMAL can lose a mark in a power cut, which costs a duplicate and never an event. In
  // other journal modes it could harm the file.
  if (query_text(db, "pragma main.journal_mode", action) == "wal") {
    execute(db, "pragma synchronous = normal", action);
  }
}

[[noreturn]] void refuse(int code, const std::string& path, const std::string& why) {
  throw database_error{code, "outbox: cannot open " + path + ": " + why};
}

// A folder whose name has one of these would be another one in a URI (sqlite.org/uri.html).
std::string escaped_for_uri(std::string_view path) {
  return core::percent_encoded(path, [](char c) { return c == '%' || c == '?' || c == '#'; });
}

// What SQLite would only say in its own words, or at the first write.
void require_usable(const DatabaseFile& file) {
  if (is_uri(file.path)) return;
  struct stat facts {};
  if (stat(file.path.c_str(), &facts) != 0) {
    refuse(SQLITE_CANTOPEN, file.path,
           std::string{std::strerror(errno)} + "; the app makes its database, outbox never does");
  }
  if (!S_ISREG(facts.st_mode)) refuse(SQLITE_CANTOPEN, file.path, "it is no regular file");
  const auto may_write = [](const std::string& path, int mode) {
    return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
  };
  if (!may_write(file.path, R_OK | W_OK)) {
    refuse(SQLITE_READONLY, file.path,
           "this user may not write it, and the dispatcher marks what it delivers");
  }
  const std::string folder = std::filesystem::path{file.path}.parent_path().native();
  if (!may_write(folder, W_OK | X_OK)) {
    refuse(SQLITE_READONLY_DIRECTORY, file.path,
           "this user may not write its folder, where SQLite keeps the -wal and -shm files and the "
           "dispatcher its lock");
  }
  struct statfs system {};
  if (statfs(file.path.c_str(), &system) == 0) {
    if (const char* const name = core::network_file_system(system.f_type)) {
      refuse(SQLITE_CANTOPEN, file.path,
             std::string{"it is on a network file system ("} + name +
                 "), where neither SQLite's WAL nor the dispatcher's lock works");
    }
  }
}

}  // namespace

void CloseDatabase::operator()(SQLite::Database* database) const noexcept {
  delete database;
}

DatabaseFile with_absolute_path(DatabaseFile file) {
  if (file.path.empty()) {
    throw std::invalid_argument{"outbox: the path of the database is empty"};
  }
  const bool is_memory = file.path.find(":memory:") != std::string::npos ||
                         file.path.find("mode=memory") != std::string::npos;
  if (is_memory) {
    throw std::invalid_argument{
        "outbox: a memory database belongs to one connection, and a dispatcher opens its own: call "
        "deliver_once on the connection that has it"};
  }
  const std::string scheme = is_uri(file.path) ? "file:" : "";
  const std::size_t path_end = scheme.empty() ? file.path.size() : file.path.find('?');
  const std::string path = file.path.substr(scheme.size(), path_end - scheme.size());
  if (path.rfind('/', 0) != 0) {
    const std::string query = path_end < file.path.size() ? file.path.substr(path_end) : "";
    std::string folder = std::filesystem::current_path().native();
    if (!folder.ends_with('/')) folder += '/';
    if (!scheme.empty()) folder = escaped_for_uri(folder);
    file.path = scheme + folder + path + query;
  }
  return file;
}

OpenDatabase open_database(const DatabaseFile& file, std::chrono::milliseconds patience) {
  // Never OPEN_CREATE: an empty database at a mistyped path helps nobody.
  const int flags = SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                    (is_uri(file.path) ? SQLite::OPEN_URI : 0);
  require_usable(file);
  OpenDatabase database;
  try {
    database.reset(new SQLite::Database{file.path, flags, 0, file.vfs});
  } catch (const SQLite::Exception& error) {
    refuse(error.getExtendedErrorCode(), file.path, error.what());
  }
  if (file.after_open) file.after_open(database->getHandle());
  sqlite3_progress_handler(database->getHandle(), 0, nullptr, nullptr);
  sqlite3* const db = database->getHandle();
  if (query_text(db, "pragma main.locking_mode", "open") == "exclusive") {
    throw std::invalid_argument{
        "outbox: locking_mode is exclusive: no other connection could use the database; leave it "
        "normal in after_open"};
  }
  while_busy([db] { configure(db); }, patience);
  sqlite3_busy_handler(db, sleep_while_busy, nullptr);
  return database;
}

WithoutWaiting::WithoutWaiting(sqlite3* db) : db_{db} {
  sqlite3_busy_handler(db_, nullptr, nullptr);
}
WithoutWaiting::~WithoutWaiting() {
  sqlite3_busy_handler(db_, sleep_while_busy, nullptr);
}

sqlite3* handle_of(const OpenDatabase& database) {
  return database->getHandle();
}

std::string path_of(sqlite3* db) {
  const char* const path = sqlite3_db_filename(db, "main");
  return path == nullptr ? std::string{} : std::string{path};
}

std::string identity_of(const std::string& path) {
  // With the time of birth, since inodes are used again. Not the device, whose number may be
  // another one after a reboot.
  struct statx facts {};
  if (path.empty() || statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_BTIME, &facts) != 0) {
    return {};
  }
  const bool has_birth = (facts.stx_mask & STATX_BTIME) != 0;
  return std::to_string(facts.stx_ino) + (has_birth
                                              ? ":" + std::to_string(facts.stx_btime.tv_sec) + "." +
                                                    std::to_string(facts.stx_btime.tv_nsec)
                                              : "");
}

bool has_moved(sqlite3* db) {
  int moved = 0;
  return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
         moved != 0;
}

bool is_readable_by_others(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path file = fs::canonical(path, error);
  fs::perms needed = fs::perms::others_read;
  while (!error && (fs::status(file, error).permissions() & needed) != fs::perms::none) {
    if (!file.has_relative_path()) return true;
    file = file.parent_path();
    needed = fs::perms::others_exec;  // to come through a folder
  }
  return false;
}

int sqlite_copies() {
  std::set<const void*> copies;
  std::vector<std::string> names;
  // Only the names here: the loader holds a lock that dlopen wants, too.
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* found) {
        static_cast<std::vector<std::string>*>(found)->emplace_back(object->dlpi_name);
        return 0;
      },
      &names);
  for (const std::string& name : names) {
    // RTLD_NOLOAD: a handle of what is there; the empty name is the program itself.
    void* const handle = dlopen(name.empty() ? nullptr : name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    // A handle finds what its object depends on too, hence the set of addresses.
    if (const void* const symbol = dlsym(handle, "sqlite3_libversion_number")) {
      copies.insert(symbol);
    }
    dlclose(handle);
  }
  return static_cast<int>(copies.size());
}

bool is_threadsafe() {
  if (sqlite3_threadsafe() == 0) return false;
  // Where it was configured so, a connection has no mutex, even one that asks for it.
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(":memory:", &db, flags, nullptr);
  const bool has_mutex = db != nullptr && sqlite3_db_mutex(db) != nullptr;
  sqlite3_close(db);
  return code != SQLITE_OK || has_mutex;  // out of memory says nothing
}

bool is_interrupt(const database_error& error) {
  return (error.code() & 0xFF) == SQLITE_INTERRUPT;
}

EndsWhen::EndsWhen(sqlite3* db, std::function<bool()> is_over)
    : db_{db}, is_over_{std::move(is_over)} {
  constexpr int look_every = 10'000;  // steps of SQLite's virtual machine: far below a millisecond
  sqlite3_progress_handler(
      db_, look_every, [](void* self) { return static_cast<EndsWhen*>(self)->is_over_() ? 1 : 0; },
      this);
}

EndsWhen::~EndsWhen() {
  sqlite3_progress_handler(db_, 0, nullptr, nullptr);
}

void require_safe_sqlite() {
  if (core::has_wal_reset_bug(sqlite3_libversion_number())) {
    throw std::runtime_error{"outbox: refuses_unsafe_sqlite: SQLite " +
                             std::string{sqlite3_libversion()} +
                             " has the WAL-reset bug, which can lose commits"};
  }
  if (sqlite_copies() > 1) {
    throw std::runtime_error{
        "outbox: refuses_unsafe_sqlite: two copies of SQLite are loaded in this process"};
  }
}

void require_writable(sqlite3* db) {
  const bool may_write = sqlite3_db_readonly(db, "main") == 0 &&
                         query_integer(db, "pragma query_only", "deliver").value_or(0) == 0;
  if (may_write) return;
  throw database_error{SQLITE_READONLY,
                       "outbox: deliver: this connection may not write, so nothing was sent: it is "
                       "read-only, or PRAGMA query_only is on"};
}

}  // namespace outbox::storage

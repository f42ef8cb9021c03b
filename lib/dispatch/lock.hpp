#pragma once

// One active dispatcher per database and destination: an flock on a file of its own beside the
// database. The kernel frees it the moment its process dies, also when a forked child lives on:
// that closes its copy. Never a lock on the database's own files: opening and closing those would
// drop SQLite's locks (sqlite.org/howtocorrupt.html, 2.2).

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "dispatch/deadline.hpp"
#include "outbox/inspect.hpp"

namespace outbox::dispatch {

/// A round comes every second at least: the longest sleep of a dispatcher is 250 ms.
inline constexpr std::chrono::seconds silent_max{10};

class Lock {
 public:
  /// Requires: `database_path` is as SQLite resolved it, and `destination` is a valid name.
  Lock(std::string database_path, std::string destination);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// True: this object is the elected one. Does not wait.
  /// Throws: `std::runtime_error` when the file cannot be made.
  bool try_acquire(core::Instant now);

  /// Touches the file now and then, which is the heartbeat, and writes down since when a request is
  /// under way or not recorded.
  /// False: someone has removed or replaced the file, so that another dispatcher may have been
  /// elected; the lock is given up. Requires: acquired.
  bool keep(std::optional<core::Instant> in_flight_since);

  /// Writes down why the database cannot be used now, for people; empty: it can. Writing is a
  /// heartbeat too, so it must be said what is under way.
  void tell_trouble(const std::string& trouble, std::optional<core::Instant> in_flight_since);

  void release() noexcept;
  bool is_held() const { return file_ >= 0; }

 private:
  bool try_once(core::Instant now);
  [[noreturn]] void refuse(const char* problem);
  bool is_same_file() const;
  void write_owner() const;

  std::string database_path_;
  std::string path_;
  int file_ = -1;
  pid_t pid_ = 0;  // the process that opened it
  core::Instant since_ = {};
  SteadyClock::time_point touched_ = {};
  std::optional<core::Instant> in_flight_since_ = {};
  std::string trouble_ = {};  // one line
};

/// While it lives, this process uses SQLite on a thread of its own: a child that is forked
/// meanwhile cannot use SQLite. Make it before SQLite is used. Throws: `forked_process` in such a
/// child.
class SqliteUser {
 public:
  SqliteUser();
  ~SqliteUser();
  SqliteUser(const SqliteUser&) = delete;
  SqliteUser& operator=(const SqliteUser&) = delete;
};

/// Who serves `destination` of the database now; none: nobody. Where the lock file may not be
/// opened, one without a pid as long as somebody touches it. Takes no lock that could make an
/// election fail for more than an instant. Where the file does not say what is under way, that is
/// since 1970.
std::optional<ActiveDispatcher> active_dispatcher(const std::string& database_path,
                                                  const std::string& destination);
/// The same for who must know. Throws: `std::runtime_error` when there is a lock file that may not
/// be looked at, another user's say.
std::optional<ActiveDispatcher> known_dispatcher(const std::string& database_path,
                                                 const std::string& destination);

}  // namespace outbox::dispatch

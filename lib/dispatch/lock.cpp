#include "dispatch/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "dispatch/fork_state.hpp"

namespace outbox::dispatch {

namespace {

// A heartbeat for people and `erase`; at thousands of rounds a second each one would cost.
constexpr std::chrono::milliseconds between_touches{50};

std::string lock_path(const std::string& database_path, const std::string& destination) {
  return database_path + "-outbox-" + destination + ".lock";
}

// Closes at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int file) : file_{file} {}
  ~Descriptor() {
    if (file_ >= 0) close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return file_; }

 private:
  int file_;
};

// Who may open the lock file can hold the lock, and stop all deliveries: only the owner of the
// database may. Whoever else may write the database must be served by that user's dispatcher.
constexpr mode_t lock_mode = 0600;

// Why `file` cannot be the lock of `database_path`; null: it can. When root has made it, it is
// given to the database's owner.
const char* lock_problem(int file, const std::string& database_path) {
  struct stat lock {};
  struct stat database {};
  if (fstat(file, &lock) != 0) return "cannot be looked at";
  if (!S_ISREG(lock.st_mode)) return "is no plain file";
  if (lock.st_nlink > 1) return "has another name, too: remove it";
  if (stat(database_path.c_str(), &database) != 0) return nullptr;
  if (lock.st_uid == database.st_uid) return nullptr;
  const bool is_given =
      lock.st_uid == geteuid() && fchown(file, database.st_uid, database.st_gid) == 0;
  return is_given ? nullptr : "belongs to another user than the database: remove it";
}

std::string belongs_to(const struct stat& database) {
  return "the database belongs to uid " + std::to_string(database.st_uid) +
         ": only that user's dispatcher can serve it";
}

// Why the lock file at `path` may not be opened; empty: that is not known.
std::string permission_problem(const std::string& path, const std::string& database_path) {
  struct stat lock {};
  struct stat database {};
  if (stat(database_path.c_str(), &database) != 0 || stat(path.c_str(), &lock) != 0) return {};
  if (geteuid() != 0 && geteuid() != database.st_uid) return ": " + belongs_to(database);
  return lock.st_uid == database.st_uid
             ? ""
             : ": it belongs to another user than the database: remove it";
}

// One word, as the line in the file needs it.
std::string host_name() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0) return "unknown";
  std::string name = buffer.data();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !(c > ' '); }, '-');
  return name.empty() ? "unknown" : name;
}

std::string read_text(int file) {
  std::array<char, 512> buffer{};
  const ssize_t length = pread(file, buffer.data(), buffer.size(), 0);
  return {buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

}  // namespace

SqliteUser::SqliteUser() {
  ForkState::of_process().add_user();
}

SqliteUser::~SqliteUser() {
  ForkState::of_process().remove_user();
}

Lock::Lock(std::string database_path, std::string destination)
    : database_path_{std::move(database_path)}, path_{lock_path(database_path_, destination)} {}

Lock::~Lock() {
  release();
}

bool Lock::try_acquire(core::Instant now) {
  // A probe holds the lock for an instant; it must not make an election fail.
  for (int tries = 0; tries < 3; ++tries) {
    if (try_once(now)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return false;
}

bool Lock::try_once(core::Instant now) {
  file_ = ForkState::of_process().open_file(path_, lock_mode);
  if (file_ < 0) {
    const int error = errno;
    throw std::runtime_error{
        "outbox: cannot open " + path_ + ": " + std::strerror(error) +
        (error == EACCES ? permission_problem(path_, database_path_) : std::string{})};
  }
  pid_ = getpid();
  if (const char* const problem = lock_problem(file_, database_path_)) {
    refuse(problem);
  }
  // Removed between open and flock, it would not be the file that others lock.
  if (flock(file_, LOCK_EX | LOCK_NB) != 0 || !is_same_file()) {
    release();
    return false;
  }
  static_cast<void>(
      fchmod(file_, lock_mode));  // an earlier version made it as open as the database
  since_ = now;
  touched_ = {};
  in_flight_since_.reset();
  write_owner();
  return true;
}

// A file of this user's that can be no lock would keep the database's owner out.
void Lock::refuse(const char* problem) {
  std::string text = "outbox: " + path_ + " " + problem;
  struct stat lock {};
  struct stat database {};
  if (fstat(file_, &lock) == 0 && stat(database_path_.c_str(), &database) == 0 &&
      lock.st_uid == geteuid() && lock.st_uid != database.st_uid && is_same_file()) {
    text = "outbox: " + database_path_ + ": " + belongs_to(database);
    unlink(path_.c_str());
  }
  release();
  throw std::runtime_error{text};
}

bool Lock::keep(std::optional<core::Instant> in_flight_since) {
  if (!is_same_file()) {
    release();
    return false;
  }
  if (in_flight_since != in_flight_since_) {
    in_flight_since_ = in_flight_since;
    write_owner();
  }
  const auto now = SteadyClock::now();
  if (now - touched_ >= between_touches) {
    futimens(file_, nullptr);
    touched_ = now;
  }
  return true;
}

void Lock::tell_trouble(const std::string& trouble, std::optional<core::Instant> in_flight_since) {
  if (trouble == trouble_) return;
  trouble_ = trouble;
  in_flight_since_ = in_flight_since;
  if (is_held()) write_owner();
}

void Lock::release() noexcept {
  // In a forked child the number may be another file's by now.
  if (file_ >= 0 && pid_ == getpid()) {
    flock(file_, LOCK_UN);  // by hand: closing leaves it to children made without atfork handlers
    ForkState::of_process().close_file(file_);
  }
  file_ = -1;
}

bool Lock::is_same_file() const {
  struct stat ours {};
  struct stat there {};
  return fstat(file_, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

// For people and `erase`: liveness is the lock itself.
void Lock::write_owner() const {
  std::string owner = std::to_string(getpid()) + " " + std::to_string(core::unix_ms(since_)) + " " +
                      host_name() + "\n";
  // Nothing but what is needed: it is written for each request.
  if (in_flight_since_ || !trouble_.empty()) {
    owner += std::to_string(in_flight_since_ ? core::unix_ms(*in_flight_since_) : 0) + "\n";
  }
  if (!trouble_.empty()) owner += trouble_ + "\n";
  const auto size = static_cast<ssize_t>(owner.size());
  const bool is_written =
      pwrite(file_, owner.data(), owner.size(), 0) == size && ftruncate(file_, size) == 0;
  static_cast<void>(is_written);  // a full disk takes away the name, not the lock
}

namespace {

std::chrono::system_clock::time_point touched_at(const struct stat& facts) {
  return std::chrono::system_clock::time_point{
      std::chrono::seconds{facts.st_mtim.tv_sec} +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds{facts.st_mtim.tv_nsec})};
}

// Who may not open the file can still see that it is touched. Its pid and all else are not known.
std::optional<ActiveDispatcher> by_heartbeat(const std::string& path,
                                             const std::string& database_path) {
  struct stat lock {};
  struct stat database {};
  if (lstat(path.c_str(), &lock) != 0 || stat(database_path.c_str(), &database) != 0 ||
      !S_ISREG(lock.st_mode) || lock.st_uid != database.st_uid)
    return std::nullopt;
  const auto last_round = touched_at(lock);
  if (core::system_now() - last_round >= silent_max) return std::nullopt;
  return ActiveDispatcher{.last_round = last_round};
}

// Who holds the lock; `problem`: why the file may not be looked at.
std::optional<ActiveDispatcher> look_at_lock(const std::string& database_path,
                                             const std::string& destination, std::string& problem) {
  if (database_path.empty()) return std::nullopt;
  const std::string path = lock_path(database_path, destination);
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    problem = "cannot open " + path + ": " + std::strerror(errno);
    return by_heartbeat(path, database_path);
  }
  if (const char* const reason = lock_problem(file.get(), database_path)) {
    problem = path + " " + reason;
    return std::nullopt;
  }
  if (flock(file.get(), LOCK_SH | LOCK_NB) == 0) {
    flock(file.get(), LOCK_UN);  // by hand: a child forked right now would keep it
    return std::nullopt;
  }

  ActiveDispatcher found;
  // Before the text is read: what is said is then as new as `last_round`, or newer.
  struct stat facts {};
  const bool has_facts = fstat(file.get(), &facts) == 0;
  std::int64_t since_ms = 0;
  std::istringstream owner{read_text(file.get())};
  // On a full disk the file may be empty: then a request may be under way, for all that is known.
  if (!(owner >> found.pid >> since_ms >> found.host)) found.in_flight_since = core::Instant{};
  if (std::int64_t in_flight_since_ms = 0; owner >> in_flight_since_ms) {
    if (in_flight_since_ms != 0) found.in_flight_since = core::instant_of(in_flight_since_ms);
    std::getline(owner.ignore(), found.database_trouble);
  }
  found.since = core::instant_of(since_ms);
  found.is_elsewhere = found.host != host_name();
  if (has_facts) found.last_round = touched_at(facts);
  return found;
}

}  // namespace

std::optional<ActiveDispatcher> active_dispatcher(const std::string& database_path,
                                                  const std::string& destination) {
  std::string ignored;
  return look_at_lock(database_path, destination, ignored);
}

std::optional<ActiveDispatcher> known_dispatcher(const std::string& database_path,
                                                 const std::string& destination) {
  std::string problem;
  const auto found = look_at_lock(database_path, destination, problem);
  if (!problem.empty()) {
    throw std::runtime_error{"outbox: nobody can say what is under way: " + problem};
  }
  return found;
}

}  // namespace outbox::dispatch

#include "dispatch/lock.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "outbox/errors.hpp"

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

// What a fork must know of this process: the descriptors of its locks, and how many `SqliteUser`s
// it has. A forked child shares the locks behind the descriptors and would keep them when this
// process has died, so it closes its copies, before anything else happens there. Process-wide,
// because fork is: pthread_atfork takes functions without context.
class ForkState {
 public:
  static ForkState& of_process() {
    static ForkState* const locks = new ForkState;  // never destroyed: fork may come after exit
    return *locks;
  }

  /// Opens with no fork in between, so that no child has a copy that is not known here.
  int open_file(const std::string& path, mode_t mode) {
    const std::lock_guard guard{mutex_};
    // O_NONBLOCK: someone may have put a pipe in its place.
    constexpr int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const int file = open(path.c_str(), flags, mode);
    const int error = errno;
    if (file >= 0) files_.push_back(file);
    errno = error;
    return file;
  }

  void close_file(int file) {
    const std::lock_guard guard{mutex_};
    files_.erase(std::remove(files_.begin(), files_.end(), file), files_.end());
    close(file);
  }

  /// Throws: `forked_process`.
  void add_user() {
    const std::lock_guard guard{mutex_};
    if (users_ > 0 && process_ != getpid()) throw forked_process{};
    process_ = getpid();
    ++users_;
  }
  void remove_user() noexcept {
    const std::lock_guard guard{mutex_};
    if (process_ == getpid()) --users_;
  }

 private:
  ForkState() {
    files_.reserve(64);
    pthread_atfork([] { of_process().mutex_.lock(); }, [] { of_process().mutex_.unlock(); },
                   [] {
                     for (const int file : of_process().files_) close(file);
                     of_process().files_.clear();
                     of_process().mutex_.unlock();
                   });
  }

  std::mutex mutex_;
  std::vector<int> files_;
  // In a child that was forked while there were some, SQLite cannot be used. One of its mutexes
  // may be held for ever, and it believes that it has the parent's locks on the database, so that
  // commits can be lost (sqlite.org/howtocorrupt.html, 2.6).
  int users_ = 0;
  pid_t process_ = 0;  // that has them
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

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
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
    throw std::runtime_error{"outbox: cannot open " + path_ + ": " + std::strerror(errno)};
  }
  pid_ = getpid();
  if (const char* const problem = lock_problem(file_, database_path_)) {
    release();
    throw std::runtime_error{"outbox: " + path_ + " " + problem};
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

std::optional<ActiveDispatcher> active_dispatcher(const std::string& database_path,
                                                  const std::string& destination) {
  if (database_path.empty()) return std::nullopt;
  const Descriptor file{open(lock_path(database_path, destination).c_str(),
                             O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.get() < 0 || lock_problem(file.get(), database_path) != nullptr) return std::nullopt;
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
  owner >> found.pid >> since_ms >> found.host;
  if (std::int64_t in_flight_since_ms = 0; owner >> in_flight_since_ms) {
    if (in_flight_since_ms != 0) found.in_flight_since = core::instant_of(in_flight_since_ms);
    std::getline(owner.ignore(), found.database_trouble);
  }
  found.since = core::instant_of(since_ms);
  if (has_facts) {
    found.last_round = std::chrono::system_clock::time_point{
        std::chrono::seconds{facts.st_mtim.tv_sec} +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds{facts.st_mtim.tv_nsec})};
  }
  return found;
}

}  // namespace outbox::dispatch

#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string>
#include <vector>

#include "outbox/errors.hpp"

namespace outbox::dispatch {

/// What a fork must know of this process: the descriptors of its locks, and how many `SqliteUser`s
/// it has. A forked child shares the locks behind the descriptors and would keep them when this
/// process has died, so it closes its copies, before anything else happens there. Process-wide,
/// because fork is: pthread_atfork takes functions without context.
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

}  // namespace outbox::dispatch

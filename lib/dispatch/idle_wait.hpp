#pragma once

// Those who wait until nothing is due any more, and the dispatcher's thread, which tells them.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "dispatch/deadline.hpp"

namespace outbox::dispatch {

/// Threads: `wait` any, several at once; the others the dispatcher's.
class IdleWait {
 public:
  /// Asks, calls `notify`, and waits until the answer is that nothing was due after it had asked.
  template <class Notify>
  bool wait(std::chrono::milliseconds time_max, Notify notify) {
    const auto deadline = deadline_in(time_max);
    std::unique_lock lock{mutex_};
    const std::uint64_t ticket = ++asked_;
    lock.unlock();
    notify();
    lock.lock();
    changed_.wait_until(lock, deadline, [&] { return idle_ >= ticket || is_over_; });
    return idle_ >= ticket;
  }

  /// The newest who has asked; to be known before one looks.
  std::uint64_t asked() const {
    const std::lock_guard guard{mutex_};
    return asked_;
  }
  bool is_awaited() const {
    const std::lock_guard guard{mutex_};
    return asked_ > idle_;
  }
  /// Nothing was due after all up to `asked` had asked.
  void tell(std::uint64_t asked) {
    const std::lock_guard guard{mutex_};
    idle_ = asked;
    changed_.notify_all();
  }
  /// Nobody will be told any more.
  void end() {
    const std::lock_guard guard{mutex_};
    is_over_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t asked_ = 0;
  std::uint64_t idle_ = 0;  // up to this one they have been told
  bool is_over_ = false;
};

}  // namespace outbox::dispatch

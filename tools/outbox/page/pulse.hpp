#pragma once

// The status of the queue for everyone who watches: read once for all of them, when something was
// committed, and never for more than a tenth of the time.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api.hpp"

namespace page {

/// What is told, as the name and the data of a server-sent event.
struct Beat {
  std::uint64_t number = 0;
  std::string name = {};  // "status" or "trouble"
  std::string data = {};
};

class Pulse {
 public:
  explicit Pulse(const Desk& desk);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  /// Nobody waits any more: each `next` returns at once.
  void stop();
  bool is_stopped() const { return is_stopped_; }

  /// One who watches; at most `watchers_max` do. False: they are too many.
  bool enter();
  void leave();
  static constexpr int watchers_max = 4;  // each holds a thread of the server

  /// The newest beat but number `seen`, which is waited for up to `wait`.
  std::optional<Beat> next(std::uint64_t seen, std::chrono::milliseconds wait);

  /// What those who watch were told lately, for one who does not; none: nobody watches.
  std::optional<std::string> latest_status();

 private:
  class Watch;
  void run();
  void tell(const char* name, std::string data);
  void sleep_for(std::chrono::steady_clock::duration wait);

  const Desk& desk_;
  std::mutex mutex_;  // guards the next three, and wakes everyone
  std::condition_variable changed_;
  Beat beat_ = {};
  std::chrono::steady_clock::time_point told_at_ = {};
  int watchers_ = 0;
  std::atomic<bool> is_stopped_ = false;
  std::thread thread_;
};

}  // namespace page

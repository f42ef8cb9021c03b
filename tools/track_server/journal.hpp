#pragma once

// What a TrackServer remembers: accepted events, the newest requests, and who waits for them.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "server.hpp"

namespace track_server {

/// Threads: all members, any thread.
class Journal {
 public:
  static constexpr std::size_t requests_max = 1'000;
  static constexpr std::size_t request_bytes_max = 64'000'000;

  /// Throws: `std::runtime_error` when the log cannot be opened.
  explicit Journal(const Options& options);

  /// Counts the request and accepts `events`, all or none.
  /// Throws: `std::runtime_error` when the log cannot be written; nothing is recorded then.
  void record(Request request, std::vector<std::string> events);
  /// Wakes those who wait; from now on nobody does.
  void close();

  std::vector<std::string> events() const;
  std::size_t event_count() const;
  std::size_t request_count() const;
  std::vector<Request> requests() const;
  bool wait_for_events(std::size_t count, std::chrono::milliseconds time_max) const;
  bool wait_for_requests(std::size_t count, std::chrono::milliseconds time_max) const;

 private:
  // Requires: `mutex_` is held.
  void log(const std::vector<std::string>& events);
  void keep(Request request);
  bool wait_for(const std::size_t& counter, std::size_t count,
                std::chrono::milliseconds time_max) const;

  const bool keeps_events_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool is_closed_ = false;
  std::ofstream log_;
  std::vector<std::string> events_;
  std::size_t event_count_ = 0;
  std::deque<Request> requests_;
  std::size_t request_bytes_ = 0;
  std::size_t request_count_ = 0;
};

}  // namespace track_server

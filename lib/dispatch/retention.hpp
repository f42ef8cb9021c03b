#pragma once

// Takes what was delivered long ago out of the table, between rounds and a little at a time.

#include <chrono>

#include "core/clock.hpp"
#include "dispatch/deadline.hpp"
#include "outbox/dispatcher.hpp"
#include "storage/store.hpp"

namespace outbox::dispatch {

/// Threads: one at a time.
class Retention {
 public:
  explicit Retention(const DispatcherOptions& options) : keep_{options.keep_delivered} {}

  /// Removes some events if it is time to. Returns when to come again, at the latest. Trouble of
  /// the database is no reason not to deliver: it is tried again later.
  SteadyClock::time_point run(storage::Store& store, core::Instant now);

  /// Removes until nothing old is left, `deadline` has come, or so much that it is for another
  /// time.
  void run_until(storage::Store& store, core::Instant now, SteadyClock::time_point deadline);

 private:
  bool is_off() const { return keep_ == keep_for_ever; }

  std::chrono::milliseconds keep_;
  SteadyClock::time_point next_ = {};
};

}  // namespace outbox::dispatch

#pragma once

// When the dispatcher takes what was delivered long ago out of the log: between rounds, and a
// little at a time.

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "core/clock.hpp"
#include "dispatch/deadline.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/errors.hpp"
#include "storage/life/store.hpp"

namespace outbox::dispatch {

/// Threads: one at a time.
class Retention {
 public:
  using milliseconds = std::chrono::milliseconds;

  explicit Retention(const DispatcherOptions& options) : keep_{options.keep_delivered} {}

  /// Removes some events if it is time to: also when `has_delivered`, if nothing is to be kept.
  /// Returns when to come again, at the latest. Trouble of the database is no reason not to
  /// deliver: it is tried again later.
  SteadyClock::time_point run(storage::Store& store, core::Instant now, bool has_delivered) {
    if (!keep_) return SteadyClock::time_point::max();
    if (has_delivered && *keep_ == milliseconds{0}) next_ = {};
    if (SteadyClock::now() < next_) return next_;
    milliseconds wait = between_chunks;
    try {
      if (store.prune(now - *keep_, now)) wait = between_passes;
    } catch (const database_error& error) {  // busy, or a constraint or a trigger of the host's
      if (!error.is_busy()) {
        wait = between_passes;
        trouble_ = error.what();
      }
    }
    return next_ = SteadyClock::now() + wait;
  }

  /// What keeps it from removing, if that is new since the last call.
  std::optional<std::string> new_trouble() {
    if (trouble_ == told_trouble_) return std::nullopt;
    return told_trouble_ = trouble_;
  }

  /// Removes until nothing old is left or `deadline` has come, and at most `chunks_of_a_call`
  /// chunks: the rest is for the next call.
  void run_until(storage::Store& store, core::Instant now, SteadyClock::time_point deadline) const {
    if (!keep_) return;
    try {
      for (int i = 0; i < chunks_of_a_call && !store.prune(now - *keep_, now); ++i) {
        if (left_until(deadline) == milliseconds{0}) return;
        std::this_thread::sleep_for(milliseconds{1});
      }
    } catch (const database_error&) {  // as above: what was delivered is to be reported
    }
  }

 private:
  static constexpr std::chrono::minutes between_passes{1};
  // Some 25,000 events a second at most, which leaves the database to others most of the time.
  static constexpr milliseconds between_chunks{20};
  static constexpr int chunks_of_a_call = 100;

  std::optional<milliseconds> keep_;
  SteadyClock::time_point next_ = {};
  std::string trouble_ = {};
  std::string told_trouble_ = {};
};

}  // namespace outbox::dispatch

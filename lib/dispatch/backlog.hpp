#pragma once

// Tells the host when more and more events are pending, before the disk does.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "dispatch/deadline.hpp"
#include "dispatch/notices.hpp"
#include "outbox/dispatcher.hpp"
#include "storage/store.hpp"

namespace outbox::dispatch {

/// Threads: one at a time.
class Backlog {
 public:
  explicit Backlog(const DispatcherOptions& options) : options_{options} {
    thresholds_ = options.backlog_thresholds;
    std::sort(thresholds_.begin(), thresholds_.end());
  }

  /// Counts, once a minute, no further than the highest threshold. Throws: `database_error`.
  void look(storage::Store& store) {
    const auto now = SteadyClock::now();
    if (thresholds_.empty() || now < next_) return;
    next_ = now + std::chrono::minutes{1};
    const std::int64_t pending = store.pending_count(thresholds_.back());
    const auto passed = std::upper_bound(thresholds_.begin(), thresholds_.end(), pending);
    const auto count = static_cast<std::size_t>(passed - thresholds_.begin());
    if (count > told_) {
      const std::int64_t threshold = thresholds_[count - 1];
      tell(options_.observer, {.kind = Notice::Kind::backlog,
                               .destination = options_.destination,
                               .text = std::to_string(threshold) + " events or more are pending",
                               .events = static_cast<std::size_t>(pending)});
    }
    told_ = count;
  }

 private:
  const DispatcherOptions& options_;
  std::vector<std::int64_t> thresholds_;
  std::size_t told_ = 0;  // so many thresholds were passed when it last looked
  SteadyClock::time_point next_ = {};
};

}  // namespace outbox::dispatch

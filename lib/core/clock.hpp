#pragma once

// Time comes in through this seam, so that a test can hold it still or make it jump.

#include <chrono>

namespace outbox::core {

/// Wall time, as the database stores it: Unix milliseconds.
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  /// Threads: any.
  virtual Instant now() const = 0;
};

}  // namespace outbox::core

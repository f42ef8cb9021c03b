#pragma once

// Time comes in through this seam, so that a test can hold it still or make it jump.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

namespace outbox::core {

/// Wall time, as the database stores it: Unix milliseconds.
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

/// Of the years 1970 to 2262: anyone's SQL can write any number, and what is beyond would wrap in a
/// `time_point` of the system's clock, which counts nanoseconds.
inline Instant instant_of(std::int64_t unix_ms) {
  constexpr std::int64_t ms_max = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return Instant{std::chrono::milliseconds{std::clamp<std::int64_t>(unix_ms, 0, ms_max)}};
}
inline std::int64_t unix_ms(Instant instant) {
  return instant.time_since_epoch().count();
}

/// Wall time, now. With `Clock` the only place that asks the system. Threads: any.
inline Instant system_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}
/// The same in microseconds, for timestamps of events.
inline std::chrono::sys_time<std::chrono::microseconds> system_now_us() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// The clock of real life, or the one that the host has given. Threads: any.
class Clock {
 public:
  using Function = std::function<std::chrono::system_clock::time_point()>;

  explicit Clock(Function given) : given_{std::move(given)} {}

  Instant now() const {
    return given_ ? std::chrono::floor<std::chrono::milliseconds>(given_()) : system_now();
  }

 private:
  Function given_;
};

}  // namespace outbox::core

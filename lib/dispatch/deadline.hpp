#pragma once

// Deadlines from the durations that people give, however large.

#include <algorithm>
#include <chrono>

namespace outbox::dispatch {

using SteadyClock = std::chrono::steady_clock;

/// The instant `from_now` later. A year at most: the clock's nanoseconds would overflow on far
/// larger ones, and turn "never" into "now".
inline SteadyClock::time_point deadline_in(std::chrono::milliseconds from_now) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours{24 * 365};
  return SteadyClock::now() + std::clamp(from_now, std::chrono::milliseconds{0}, longest);
}

/// How long until `deadline`; 0 when it has passed.
inline std::chrono::milliseconds left_until(SteadyClock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

}  // namespace outbox::dispatch

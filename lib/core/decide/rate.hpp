#pragma once

// How many requests may start now, where there is a most in a second: a token bucket. It holds a
// tenth of a second's requests, and at least one.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include "core/clock.hpp"

namespace outbox::core {

class RateLimit {
 public:
  /// None: no limit. Requires: more than 0.
  explicit RateLimit(std::optional<double> per_second)
      : per_second_{per_second},
        capacity_{std::max(per_second.value_or(0) / 10, 1.0)},
        tokens_{capacity_} {}

  std::size_t may_start(Instant now) {
    if (!per_second_) return std::numeric_limits<std::size_t>::max();
    // A clock that was set back gives nothing, and takes nothing.
    const std::chrono::duration<double> passed = std::max(now - seen_, Instant::duration{0});
    if (is_seen_) tokens_ = std::min(tokens_ + passed.count() * *per_second_, capacity_);
    seen_ = now;
    is_seen_ = true;
    return static_cast<std::size_t>(tokens_);
  }
  /// One has started. Requires: `may_start` said so.
  void start() { tokens_ -= 1; }

  /// When the next one may start; none: now.
  std::optional<Instant> next() const {
    if (!per_second_ || tokens_ >= 1) return std::nullopt;
    const auto wait = std::ceil((1 - tokens_) / *per_second_ * 1'000);
    return seen_ + std::chrono::milliseconds{static_cast<std::int64_t>(wait)};
  }

 private:
  std::optional<double> per_second_;
  double capacity_;
  double tokens_;
  Instant seen_ = {};
  bool is_seen_ = false;
};

}  // namespace outbox::core

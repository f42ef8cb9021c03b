#include "core/decide/backoff.hpp"

#include <algorithm>

namespace outbox::core {

std::chrono::milliseconds backoff_delay(const Backoff& backoff, std::int64_t tries, double chance) {
  // 2^27 of even 1 ms is beyond 24 h; the clamp keeps the product from overflowing.
  const auto doublings = std::clamp<std::int64_t>(tries, 0, 27);
  const auto ceiling = std::min(backoff.min * (std::int64_t{1} << doublings), backoff.max);
  const auto half = ceiling.count() / 2;
  const auto by_chance =
      static_cast<std::int64_t>(static_cast<double>(ceiling.count() - half) * chance);
  return std::chrono::milliseconds{half + by_chance};
}

Backoff slower(const Backoff& backoff) {
  return {.min = std::min(backoff.min * 8, backoff.max), .max = backoff.max};
}

}  // namespace outbox::core

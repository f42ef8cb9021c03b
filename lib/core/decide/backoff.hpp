#pragma once

// How long a destination waits after a failure, and a suspect after a refusal.

#include <chrono>
#include <cstdint>

namespace outbox::core {

struct Backoff {
  std::chrono::milliseconds min = std::chrono::seconds{1};
  std::chrono::milliseconds max = std::chrono::minutes{10};
};

/// Equal jitter: half of `min`·2^`tries` (at most `max`) for sure, and up to the other half by
/// chance, so that dispatchers do not return together and none returns at once. Requires: `chance`
/// in [0, 1). `tries` counts the failures before this one, from 0.
std::chrono::milliseconds backoff_delay(const Backoff& backoff, std::int64_t tries, double chance);

/// For trouble that only people end (a token, a URL): asks an eighth as often in the beginning.
Backoff slower(const Backoff& backoff);

}  // namespace outbox::core

#pragma once

// Trouble of the endpoint → for how long the destination waits and why, and how many events a
// request may hold afterwards.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "core/decide/endpoint_state.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

struct Backoff {
  std::chrono::milliseconds min = std::chrono::seconds{1};
  std::chrono::milliseconds max = std::chrono::minutes{10};
};

/// Equal jitter: half of `min`·2^`tries` (at most `max`) for sure, and up to the other half by
/// chance, so that dispatchers do not return together and none returns at once. Requires: `chance`
/// in [0, 1). `tries` counts the failures before this one, from 0.
std::chrono::milliseconds backoff_delay(const Backoff& backoff, std::int64_t tries, double chance);

/// The hold after `outcome`, when `before` was the hold until then. Each further try waits longer;
/// a token or a URL is asked about slowly; the endpoint's own wish for patience counts. Requires:
/// `chance` in [0, 1).
HoldState hold_after(const std::optional<HoldState>& before, const Outcome& outcome,
                     const Backoff& backoff, Instant now, double chance);

/// After a failure: from one event on; half as many when it is the first failure since the endpoint
/// accepted something. A probe is one event in any case. None: no cap.
inline std::optional<std::size_t> slower_pace(std::optional<std::size_t> cap,
                                              std::size_t batch_events, bool is_first_failure) {
  const std::size_t half = cap.value_or(batch_events) / 2;
  return is_first_failure ? std::max<std::size_t>(half, 1) : 1;
}

/// After an acceptance: twice as many events a request, until it is full speed again.
inline std::optional<std::size_t> faster_pace(std::optional<std::size_t> cap,
                                              std::size_t batch_events) {
  if (!cap || *cap * 2 >= batch_events) return std::nullopt;
  return *cap * 2;
}

}  // namespace outbox::core

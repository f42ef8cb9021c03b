#pragma once

// How many events a request may hold after trouble.

#include <algorithm>
#include <cstddef>
#include <optional>

namespace outbox::core {

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

#pragma once

// The moment at which the tables of decisions are asked, and a destination that is held then.

#include <utility>

#include "core/decide/settle.hpp"

namespace outbox::core {

inline constexpr Instant asked_at{std::chrono::milliseconds{1'800'000'000'000}};

inline DestinationState on_hold(HoldState hold) {
  DestinationState state;
  state.endpoint.hold = std::move(hold);
  return state;
}

}  // namespace outbox::core

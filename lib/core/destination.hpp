#pragma once

// A destination as the dispatcher finds it at the start of a round.

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.hpp"

namespace outbox::core {

/// The dispatcher's own decision to wait.
struct HoldState {
  std::string kind = {};    // "backing_off", "unauthorized", "misconfigured"
  std::string reason = {};  // for people
  Instant since = {};
  Instant until = {};
  std::int64_t tries = 0;  // failed requests since `since`

  bool operator==(const HoldState&) const = default;
};

struct DestinationState {
  bool is_paused = false;   // by a person
  std::int64_t nudges = 0;  // moved by people: look and try now
  std::optional<HoldState> hold = {};
};

}  // namespace outbox::core

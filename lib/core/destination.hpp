#pragma once

// A destination as the dispatcher finds it at the start of a round.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/doubt.hpp"

namespace outbox::core {

/// Kinds of hold, as they are stored and shown.
namespace hold_kind {
inline constexpr auto backing_off = "backing_off";
inline constexpr auto unauthorized = "unauthorized";
inline constexpr auto misconfigured = "misconfigured";
inline constexpr auto refuses_everything = "refuses_everything";
}  // namespace hold_kind

/// The dispatcher's own decision to wait.
struct HoldState {
  std::string kind = {};    // one of `hold_kind`
  std::string reason = {};  // for people
  Instant since = {};
  Instant until = {};
  std::int64_t tries = 0;  // failed requests since `since`

  bool operator==(const HoldState&) const = default;
};

/// What the dispatcher has learned about the endpoint.
struct Stance {
  std::optional<HoldState> hold = {};
  std::optional<std::size_t> events_cap = {};  // slow start after a hold; none: full speed
  std::optional<std::size_t> bytes_cap = {};   // learned from 413; none: as configured
  std::int64_t suspects = 0;                   // events refused alone since the last acceptance
  bool is_proven = true;  // false: the URL was changed, and nothing was accepted there yet

  bool operator==(const Stance&) const = default;
};

/// The search for the guilty event of a refused or failed batch.
struct Search {
  std::int64_t batch = 0;  // the id of that batch in the log
  Doubt doubt = {};
};

struct DestinationState {
  bool is_paused = false;   // by a person
  std::int64_t nudges = 0;  // moved by people: look and try now
  std::int64_t looks = 0;   // moved by people: look again, something has changed
  Stance stance = {};
  std::int64_t accepted_batch = 0;    // the newest request in which something was accepted
  std::vector<Search> searches = {};  // the oldest first
};

}  // namespace outbox::core

#pragma once

// A destination as the dispatcher finds it at the start of a round.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/search.hpp"
#include "outbox/states.hpp"

namespace outbox::core {

/// The dispatcher's own decision to wait.
struct HoldState {
  HoldKind kind = HoldKind::backing_off;
  std::string reason = {};  // for people
  Instant since = {};
  Instant until = {};
  std::int64_t tries = 0;  // failed requests since `since`

  bool operator==(const HoldState&) const = default;
};

/// What the dispatcher has learned about the endpoint.
struct EndpointState {
  std::optional<HoldState> hold = {};
  std::optional<std::size_t> events_cap = {};  // slow start after a hold; none: full speed
  std::optional<std::size_t> bytes_cap = {};   // learned from 413; none: as configured
  std::int64_t suspects = 0;                   // events refused alone since the last acceptance
  std::int64_t failures = 0;  // requests that failed since the last acceptance, a hold's probes too
  /// It was seen to fail at the same events again while it accepted others.
  bool is_selective = false;
  std::int64_t innocent_failures = 0;  // as `innocent_failures_after` says, in thousandths
  bool is_proven = true;  // false: the URL was changed, and nothing was accepted there yet

  bool operator==(const EndpointState&) const = default;
};

/// A search for the guilty event of a request that was refused or failed.
struct OpenSearch {
  std::int64_t request = 0;  // its id in the request log
  Search search = {};
  Ids left = {};  // it does not name them any more; what waits among them is ready again
};

struct DestinationState {
  bool has_row = false;           // false: it is gone or not as it was served, as in a backup
  bool is_paused = false;         // by a person
  std::int64_t probes_asked = 0;  // moved by people: try now, whatever a hold says
  EndpointState endpoint = {};
  std::int64_t accepted_request = 0;      // the newest request in which something was accepted
  std::vector<OpenSearch> searches = {};  // the oldest first
};

}  // namespace outbox::core

#pragma once

// May a request start now, how large may it be, and does it only ask whether the endpoint works?

#include <cstddef>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/endpoint_state.hpp"
#include "core/decide/plan.hpp"

namespace outbox::core {

/// What speaks for a request although the destination is on hold.
struct Occasion {
  bool is_asked = false;  // a person, or a process that has just begun
  bool credential_is_renewed = false;
};

/// Which events a probe may be one of: ready and due at once, in a search, scheduled and due by
/// now, or a suspect whose next try is due.
enum class ProbeSource { ready, in_search, scheduled, suspects };

struct ProbeLook {
  ProbeSource source = ProbeSource::ready;
  double place = 0;  // of the way from the first to the last of them, 0 to 1

  bool operator==(const ProbeLook&) const = default;
};

struct Intent {
  std::size_t requests_max = 0;       // this many may start now; 0: none
  BatchLimits limits = {};            // of each
  std::vector<ProbeLook> probe = {};  // an event from elsewhere than the head asks whether the
                                      // endpoint works: where to look for it, one after the other

  bool may_send() const { return requests_max > 0; }
};

/// What a round may start: requests within `limits`, `connections` at a time at most, of which
/// `in_flight` are under way. While the endpoint is not known to work it is one request, and on
/// hold one event.
Intent intend(const DestinationState& state, const BatchLimits& limits, std::size_t connections,
              std::size_t in_flight, const Occasion& occasion, Instant now);

/// Whether the destination waits at `now`. A wait that begins in the future or is longer than any
/// comes from a clock that jumped, and is over.
bool is_waiting(const std::optional<HoldState>& hold, Instant now);

/// Where the `turn`-th probe with another event looks, from 0: in each of the four sources first in
/// its turn, and in the others when there is none.
std::vector<ProbeLook> probe_looks(std::size_t turn);

/// The `turn`-th place in a source, from 0: the last event, the middle, then the quarters and so
/// on, so that any stretch of good events is found within a number of probes that depends on its
/// share alone.
double probe_place(std::size_t turn);

}  // namespace outbox::core

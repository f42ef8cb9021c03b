#include "core/decide/intend.hpp"

#include <algorithm>

#include "core/event/limits.hpp"

namespace outbox::core {

namespace {

// The first probe, and every fourth later, asks with the event that failed first, so that the order
// is kept; the others with other events, since the endpoint may fail at that very one, whatever it
// says.
std::vector<ProbeLook> probe_of(const std::optional<HoldState>& hold) {
  if (!hold || hold->tries < 2 || hold->tries % 4 == 1) return {};
  const auto tries = static_cast<std::size_t>(hold->tries);
  return probe_looks(tries - 2 - (tries - 1) / 4);
}

}  // namespace

Intent intend(const DestinationState& state, const BatchLimits& limits, std::size_t connections,
              std::size_t in_flight, const Occasion& occasion, Instant now) {
  const EndpointState& endpoint = state.endpoint;
  if (state.is_paused) return {};
  if (endpoint.hold) {
    const bool may_ask =
        occasion.is_asked || occasion.credential_is_renewed || !is_waiting(endpoint.hold, now);
    if (in_flight > 0 || !may_ask) return {};
  }
  // One request at a time as long as it is not known that the endpoint works; a hold begins with a
  // cap of one event.
  const bool is_careful = endpoint.hold || endpoint.events_cap || !endpoint.is_proven;
  const std::size_t requests = is_careful ? 1 : connections;
  Intent intent{.requests_max = requests > in_flight ? requests - in_flight : 0,
                .limits = limits,
                .probe = probe_of(endpoint.hold)};
  if (endpoint.hold || !endpoint.is_proven) intent.limits.events_max = 1;
  if (endpoint.events_cap) {
    intent.limits.events_max = std::min(intent.limits.events_max, *endpoint.events_cap);
  }
  if (endpoint.bytes_cap) {
    intent.limits.bytes_max = std::min(intent.limits.bytes_max, *endpoint.bytes_cap);
  }
  return intent;
}

bool is_waiting(const std::optional<HoldState>& hold, Instant now) {
  return hold && hold->since <= now && now < hold->until && hold->until <= now + retry_after_max;
}

std::vector<ProbeLook> probe_looks(std::size_t turn) {
  constexpr ProbeSource sources[] = {ProbeSource::ready, ProbeSource::in_search,
                                     ProbeSource::scheduled, ProbeSource::suspects};
  std::vector<ProbeLook> looks;
  for (std::size_t i = 0; i < std::size(sources); ++i) {
    // A source that comes first does so in each fourth turn; one that steps in, in any.
    const std::size_t place = i == 0 ? turn / std::size(sources) : turn;
    looks.push_back({sources[(turn + i) % std::size(sources)], probe_place(place)});
  }
  return looks;
}

// 1, then the sequence of van der Corput in base 2: 1/2, 1/4, 3/4, 1/8, 5/8, …
double probe_place(std::size_t turn) {
  if (turn == 0) return 1;
  double place = 0;
  for (double part = 0.5; turn > 0; turn /= 2, part /= 2) {
    if (turn % 2 == 1) place += part;
  }
  return place;
}

}  // namespace outbox::core

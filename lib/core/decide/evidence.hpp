#pragma once

// How much it takes until a suspect is guilty.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "core/clock.hpp"
#include "core/event/pending_event.hpp"

namespace outbox::core {

/// An event dies when it was refused alone this often, and others were accepted in between.
inline constexpr std::int64_t refusals_min = 2;
/// A suspect for which evidence can never come dies after this many refusals alone, over this time.
/// Also then at most one event a key and `suspects_max` in all die between two acceptances.
inline constexpr std::int64_t cornered_refusals_min = 5;
inline constexpr std::chrono::milliseconds cornered_for_min = std::chrono::minutes{3};

/// All that could be accepted waits behind it. An endpoint that changed its mind is told from a bad
/// event by time alone.
inline bool is_cornered_for_long(const Suspicion& suspicion, Instant now) {
  return suspicion.is_cornered && suspicion.refusals >= cornered_refusals_min &&
         now - instant_of(suspicion.suspected_at_ms) >= cornered_for_min;
}

// An endpoint that fails or refuses at random, as one does of which some backends are down or old,
// accepts other events between any two failures of one. But it also accepts, in the end, what it
// has failed at before, and that tells it from one that fails at certain events.

/// How often what an endpoint accepts has failed or was refused alone before, in thousandths: the
/// mean of about the last 16 acceptances, with one more, of an event with `suspicion`.
inline std::int64_t innocent_failures_after(std::int64_t before, const Suspicion& suspicion) {
  constexpr std::int64_t acceptances = 16;
  const std::int64_t first = suspicion.is_suspect() && !suspicion.was_refused() ? 1 : 0;
  const std::int64_t failures = suspicion.refusals + suspicion.solo_failures + first;
  const std::int64_t change = failures * 1'000 - before;
  // Rounded down, so that it comes back to zero.
  return before + (change - (change < 0 ? acceptances - 1 : 0)) / acceptances;
}

/// How many failures or refusals alone make an event guilty: `failures_min`, or as many as an
/// innocent one has in a row once in 10^9 at such an endpoint.
inline std::int64_t guilty_failures(std::int64_t failures_min, std::int64_t innocent_failures) {
  if (innocent_failures <= 0) return failures_min;
  const double mean = static_cast<double>(innocent_failures) / 1'000;
  const double share = mean / (1 + mean);  // of the tries of an innocent event that fail
  const double failures = std::log(1e-9) / std::log(share);
  return std::max(failures_min, static_cast<std::int64_t>(std::ceil(failures)));
}

}  // namespace outbox::core

#pragma once

// Outcomes → changes: what one round changes in the database, as values.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/outcome.hpp"
#include "core/plan.hpp"

namespace outbox::core {

/// A request that ended: what was sent, and what came of it.
struct Attempt {
  bool was_made = true;  // false: without a credential there was no request
  std::vector<std::int64_t> ids = {};
  std::size_t bytes = 0;
  Instant started = {};
  std::chrono::milliseconds took{0};
  int status = 0;  // HTTP status; 0: no answer
  Outcome outcome = {};
};

/// The changes of one round; recorded in one transaction.
struct Settlement {
  std::vector<std::int64_t> delivered = {};
  std::vector<Death> dead = {};
  std::vector<Attempt> attempts = {};  // for the batch log: requests that were made
  std::optional<HoldState> hold = {};  // the hold after the round
  bool changes_hold = false;

  bool is_empty() const {
    return delivered.empty() && dead.empty() && attempts.empty() && !changes_hold;
  }
};

/// What the attempts of a round and the events set aside by `plan` change.
///
/// A delivery ends a hold. Any other outcome puts the destination on hold and leaves its events as
/// they are: pending, without an attempt of their own. Several failures of one round count as one
/// try. Requires: `chance` in [0, 1).
Settlement settle(const std::optional<HoldState>& hold, std::vector<Attempt> attempts,
                  std::vector<Death> unsendable, const Backoff& backoff, Instant now,
                  double chance);

/// Adds `later` to `earlier`, which could not be recorded.
void append(Settlement& earlier, Settlement later);

/// Whether the destination waits at `now`. A wait longer than the policy's longest comes from a
/// clock that jumped, and is over.
bool is_waiting(const std::optional<HoldState>& hold, const Backoff& backoff, Instant now);

}  // namespace outbox::core

#pragma once

// Outcomes → changes: what one round changes in the database, as values. The policy of blame is
// here and in `Doubt`.
//
// Trouble of the endpoint puts the destination on hold and touches no event. A refusal of content
// starts a search for the guilty event. One that is refused alone is a suspect, and dies only when
// it is refused alone again although others are accepted. An event at which the endpoint fails
// alone, time and again while others are accepted, dies too.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/outcome.hpp"
#include "core/pending_event.hpp"
#include "core/plan.hpp"

namespace outbox::core {

/// So many events refused alone, with nothing accepted between them, speak against the endpoint.
inline constexpr std::int64_t suspects_max = 10;
/// A learned limit of bytes is never below this.
inline constexpr std::size_t bytes_cap_min = 10'000;

struct Policy {
  Backoff backoff = {};
  std::size_t batch_events = 100;
  std::int64_t lonely_failures_max = 10;
};

/// A request that ended: what was sent, and what came of it.
struct Attempt {
  bool was_made = true;  // false: without a credential there was no request
  Ids ids = {};
  std::size_t bytes = 0;
  Instant started = {};
  std::chrono::milliseconds took{0};
  int status = 0;  // HTTP status; 0: no answer
  Outcome outcome = {};
  std::optional<std::int64_t> search = {};  // the search that it was a part of
  Suspicion suspicion = {};                 // of the only event, when that is a suspect
  Doubt doubt = {};                         // set by `settle`: the search that it begins
};

/// An event that was refused alone and is not judged yet.
struct Suspect {
  std::int64_t id = 0;
  Suspicion suspicion = {};  // but for `batch`, which `attempt` gets when it is recorded
  std::size_t attempt = 0;   // index in `Settlement::attempts`
  Instant due = {};
  std::string reason = {};
};

enum class HoldChange { none, begun, ended };  // begun: also for another reason than before

/// The changes of one round; recorded in one transaction.
struct Settlement {
  Ids delivered = {};
  std::vector<Death> dead = {};
  std::vector<Suspect> suspects = {};
  std::vector<Attempt> attempts = {};  // for the batch log: requests that were made
  std::vector<Search> searches = {};   // those that have changed; an empty doubt ends one
  Stance stance = {};                  // after the round
  bool changes_stance = false;
  HoldChange hold_change = HoldChange::none;
  std::optional<std::size_t> accepted = {};  // the newest of `attempts` with an acceptance
  std::optional<Verdict> failure = {};       // of the newest attempt that was trouble

  bool is_empty() const {
    return delivered.empty() && dead.empty() && attempts.empty() && searches.empty() &&
           !changes_stance;
  }
};

/// What a round sets aside before anything is sent.
struct SetAside {
  std::vector<Death> dead = {};       // unsendable, or expired
  std::vector<Search> searches = {};  // those that events have left
};

/// What the attempts of a round and what it set aside change in `before`.
/// Requires: `chance` in [0, 1).
Settlement settle(const DestinationState& before, std::vector<Attempt> attempts, SetAside aside,
                  const Policy& policy, Instant now, double chance);

/// Whether the destination waits at `now`. A wait that begins in the future or is longer than any
/// comes from a clock that jumped, and is over.
bool is_waiting(const std::optional<HoldState>& hold, Instant now);

}  // namespace outbox::core

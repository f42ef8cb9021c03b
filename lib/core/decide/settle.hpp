#pragma once

// Outcomes → changes: what one round changes in the database, as values. The policy of blame is
// here and in `Search`.
//
// An answer's status is the first guess; what happens to other events in between decides
// (docs/guarantees.md has the rule as a table). A refusal of content searches for the guilty event
// at once. Any other failure puts the destination on hold and remembers the events: when others are
// accepted, and these fail again, they are searched like refused ones. What is refused, or fails,
// alone is a suspect. It dies only for what is its own: refused alone again although others are
// accepted, or failed alone time and again while others are accepted.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/endpoint_state.hpp"
#include "core/decide/hold.hpp"
#include "core/decide/plan.hpp"
#include "core/event/pending_event.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

/// This many events refused alone, with nothing accepted between them, speak against the endpoint.
inline constexpr std::int64_t suspects_max = 10;
/// This many failures in a row, with nothing accepted between them, speak against the endpoint,
/// whatever was accepted before: a search among 1,000 events fails ten times in a row at worst.
inline constexpr std::int64_t failures_max = 16;
/// A learned limit of bytes is never below this.
inline constexpr std::size_t bytes_cap_min = 10'000;

struct Policy {
  Backoff backoff = {};
  std::size_t batch_events = 100;
  std::int64_t solo_failures_max = 10;
  bool buries_cornered = true;
};

/// A request that ended: what was sent, and what came of it.
struct SentBatch {
  Ids ids = {};
  std::vector<Instant> due_since = {};  // of each of `ids`: enqueued, or due if that was later
  std::size_t bytes = 0;
  Instant started = {};
  Outcome outcome = {};
  std::optional<std::int64_t> search = {};  // the request whose search it was a part of
  Suspicion suspicion = {};                 // of the only event, when that is a suspect
  std::vector<BatchEvent> traced = {};      // those with headers, if the host is told of them
  // Set by `settle`:
  Ids delivered = {};  // those of `ids` that the endpoint has
  Search begun = {};   // the search that this request begins; empty: none
};

/// An event that was refused alone and is not judged yet.
struct Suspect {
  std::int64_t id = 0;
  Suspicion suspicion = {};  // `request` is known once it is recorded, and `since` is that if 0
  std::size_t request = 0;   // index in `Settlement::requests`
  Instant due = {};
  std::string reason = {};
};

enum class HoldChange { none, begun, ended };  // begun: also for another reason than before

/// The changes of one round; recorded in one transaction.
struct Settlement {
  std::vector<SentBatch> requests = {};  // for the request log: those that were made
  std::vector<Death> dead = {};
  std::vector<Suspect> suspects = {};
  std::vector<OpenSearch> searches = {};  // those that have changed; an empty one has ended
  EndpointState endpoint = {};            // after the round
  bool changes_endpoint = false;
  HoldChange hold_change = HoldChange::none;
  std::optional<std::size_t> accepted = {};  // the newest of `requests` with an acceptance
  std::optional<Verdict> failure = {};       // of the newest request that was trouble

  bool is_empty() const {
    return dead.empty() && requests.empty() && searches.empty() && !changes_endpoint;
  }
};

/// What a round sets aside before anything is sent.
struct SetAside {
  std::vector<Death> dead = {};           // unsendable, or expired
  std::vector<OpenSearch> searches = {};  // those that events have left
};

/// What the requests of a round and what it set aside change in `before`.
/// Requires: `chance` in [0, 1).
Settlement settle(const DestinationState& before, std::vector<SentBatch> sent, SetAside aside,
                  const Policy& policy, Instant now, double chance);

}  // namespace outbox::core

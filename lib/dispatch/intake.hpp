#pragma once

// take → plan: what the next requests of a round carry.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/pending_event.hpp"
#include "core/plan.hpp"
#include "core/settle.hpp"
#include "outbox/dispatcher.hpp"
#include "storage/store.hpp"

namespace outbox::dispatch {

/// A request to be made.
struct Outgoing {
  core::Batch batch;
  std::optional<std::int64_t> search = {};  // it is a part of this search
  core::Suspicion suspicion = {};           // of its only event, when that is a suspect
};

/// What is under way already.
struct UnderWay {
  std::size_t requests = 0;
  storage::IdSet events = {};
};

struct Intaken {
  std::vector<Outgoing> outgoing = {};
  core::SetAside aside = {};
  core::Ids left_searches = {};  // these are not looked for any more
  bool has_more = false;         // there may be more to take at once
};

/// Chooses what goes next: parts of searches, a suspect now and then, and what is due.
///
/// Remembers whose turn it is. Threads: one at a time.
class Intake {
 public:
  explicit Intake(const DispatcherOptions& options) : options_{options} {}

  /// Requires: the destination is neither paused nor waiting.
  Intaken run(storage::Store& store, const core::DestinationState& state, const UnderWay& under_way,
              core::Instant now);

 private:
  class Pass;

  const DispatcherOptions& options_;
  core::Instant looked_behind_ = {};
  bool was_suspects_turn_ = false;
};

}  // namespace outbox::dispatch

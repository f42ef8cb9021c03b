#pragma once

// From the events taken to the requests to make: sets aside what can never be sent, and cuts the
// rest into batches by count, bytes, kind and ordering key.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "core/event/pending_event.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

/// How large a request may be.
struct BatchLimits {
  std::size_t events_max = 100;
  std::size_t bytes_max = 1'900'000;
};

/// The events of `batch`, ascending.
Ids ids_of(const Batch& batch);

/// An event that dies, and why. The reason holds nothing of the payload.
struct Death {
  std::int64_t id = 0;
  std::string reason = {};
  std::optional<Suspicion> suspicion = {};  // with the last refusal or failure; none: it had none
};

struct Plan {
  std::vector<Batch> batches = {};
  std::vector<Death> unsendable = {};
  /// Neither in a batch nor unsendable, to be taken again: it did not fit, or an event with its
  /// ordering key is in another batch of this plan or holds it back.
  Ids left_out = {};
};

/// What may be sent, and what may share a batch.
struct PlanRules {
  OnDead on_dead = OnDead::unblocks;
  bool mixes_kinds = false;       // else a batch ends where the kind changes
  bool takes_any_object = false;  // else the Track API's contract is held up to events without kind
};

/// Plans at most `batches_max` batches out of `events`, in their order. An event that alone exceeds
/// `bytes_max` goes alone, as far as the endpoint's own limit allows.
Plan plan(const std::vector<PendingEvent>& events, const BatchLimits& limits,
          std::size_t batches_max, const PlanRules& rules = {});

}  // namespace outbox::core

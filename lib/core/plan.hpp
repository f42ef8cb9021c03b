#pragma once

// From the events taken to the requests to make: sets aside what can never be sent, and cuts the
// rest into batches by count, bytes and ordering key.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/pending_event.hpp"

namespace outbox::core {

/// How large a request may be.
struct BatchLimits {
  std::size_t events_max = 100;
  std::size_t bytes_max = 1'900'000;
};

/// The events of one request and its final body: the payloads as stored, joined into a JSON array.
struct Batch {
  std::vector<std::int64_t> ids = {};
  std::string body = {};
};

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
  std::vector<std::int64_t> left_out = {};
};

/// Plans at most `batches_max` batches out of `events`, in their order. An event that alone exceeds
/// `bytes_max` goes alone, as far as the endpoint's own limit allows.
Plan plan(std::vector<PendingEvent> events, const BatchLimits& limits, std::size_t batches_max,
          OnDead on_dead = OnDead::unblocks);

}  // namespace outbox::core

#pragma once

// From an event to the final bytes that are stored and sent.

#include <cstddef>
#include <string>
#include <string_view>

#include "outbox/events.hpp"

namespace outbox::core {

/// What the moment adds to an event.
struct Stamp {
  std::string_view timestamp;      ///< For an event without one of its own.
  std::string_view event_id = {};  ///< Written into `context.event_id`; empty: not written.
  std::string_view kind = {};      ///< Of a `Payload`.
  std::size_t bytes_max = 0;
};

/// What `event` is by itself: "identify" or "group"; empty: a track, or a `Payload`.
std::string_view kind_of(const Event& event);

/// The JSON object of `event`, compact, with its members in the order of the Track API's sample.
/// A `Payload` keeps its bytes, but for white space around it.
///
/// Throws: `invalid_event` for element number `element` when a rule is broken.
std::string payload_text(const Event& event, std::size_t element, const Stamp& stamp);

}  // namespace outbox::core

#pragma once

// Why is this event not delivered yet? Facts in, sentences out.

#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "outbox/inspect.hpp"

namespace outbox::core {

/// Nobody counts further: the answer is for people, and a backlog may be large.
inline constexpr std::int64_t due_before_max = 1'000;

struct ExplainFacts {
  EventDetail event;
  DestinationStatus destination;
  std::optional<Holder> blocker;  // an earlier event with the same ordering key
  std::int64_t due_before;        // due events of its destination before it; above the most: more
  bool is_in_search;              // for the guilty event of a request that held it
  Instant now;
};

/// The first thing that keeps the event waiting, in the order in which the dispatcher looks.
Explanation explain(const ExplainFacts& facts);

}  // namespace outbox::core

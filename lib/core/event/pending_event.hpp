#pragma once

// A pending event as the dispatcher takes it from the queue.

#include <cstdint>
#include <string_view>

#include "core/clock.hpp"

namespace outbox::core {

/// What is held against one event alone. A default one: nothing.
struct Suspicion {
  std::int64_t request = 0;   // its newest request alone that was refused or failed; 0: no suspect
  std::int64_t since = 0;     // the request with which the search for it began
  std::int64_t refusals = 0;  // the endpoint refused it alone
  std::int64_t solo_failures = 0;    // the endpoint failed at it alone, while it accepted others
  std::int64_t suspected_at_ms = 0;  // when it became a suspect
  /// Nothing else can be sent, later events of its key wait for it, and no event of that key has
  /// died since the last acceptance: evidence can never come.
  bool is_cornered = false;

  bool is_suspect() const { return request != 0; }
  bool was_refused() const { return refusals > 0; }
};

/// Whether the death of an event lets later ones of its ordering key go.
enum class OnDead { unblocks, blocks };

/// Its texts belong to the take that it came with.
struct PendingEvent {
  std::int64_t id = 0;
  std::string_view event_id = {};
  std::string_view payload = {};
  bool is_validated = false;  // by the library, at enqueue; plain SQL's are checked by `plan`
  std::string_view ordering_key = {};
  std::string_view kind = {};  // what a sink routes by; empty: track
  std::string_view headers = {};
  Instant enqueued_at = {};
};

}  // namespace outbox::core

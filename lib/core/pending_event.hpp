#pragma once

// A pending event as the dispatcher takes it from the table.

#include <cstdint>
#include <string>

namespace outbox::core {

/// What is held against one event alone. A default one: nothing.
struct Suspicion {
  std::int64_t batch = 0;     // its newest request alone that was refused or failed; 0: no suspect
  std::int64_t since = 0;     // the request with which the search for it began; `batch` without one
  std::int64_t attempts = 0;  // refusals of it alone, and lonely failures
  std::int64_t lonely_failures = 0;  // failures at it alone, while others were accepted

  bool is_suspect() const { return batch != 0; }
  bool was_refused() const { return attempts > lonely_failures; }
};

/// Whether the death of an event lets later ones of its ordering key go.
enum class OnDead { unblocks, blocks };

struct PendingEvent {
  std::int64_t id = 0;
  std::string payload = {};
  bool is_validated = false;  // by the library, at enqueue; plain SQL's are checked by `plan`
  std::string ordering_key = {};
  Suspicion suspicion = {};
};

}  // namespace outbox::core

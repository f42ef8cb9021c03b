#pragma once

// A pending event as the dispatcher takes it from the table.

#include <cstdint>
#include <string>

namespace outbox::core {

struct PendingEvent {
  std::int64_t id = 0;
  std::string payload = {};
  bool is_validated = false;  // by the library, at enqueue; plain SQL's are checked by `plan`
  std::string ordering_key = {};
};

}  // namespace outbox::core

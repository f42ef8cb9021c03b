#pragma once

// Reading for people in a bounded time: the functions of outbox/browse.hpp on a schema that has
// been checked. Throws: `database_error`.

#include <chrono>
#include <vector>

#include "core/clock.hpp"
#include "outbox/browse.hpp"

struct sqlite3;

namespace outbox::storage {

EventPage browse_events(sqlite3* db, const EventFilter& filter, std::chrono::milliseconds patience,
                        core::Instant now);
Traffic read_traffic(sqlite3* db, const TrafficOptions& options, core::Instant now);

}  // namespace outbox::storage

#pragma once

// The request log, for people: what was sent, and what was delivered when.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/event/id_ranges.hpp"
#include "outbox/inspect.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

/// The newest `limit` requests to `destination` (empty: all), the newest first.
/// Throws: `database_error`, as all here.
std::vector<RequestSummary> read_requests(sqlite3* db, const std::string& destination,
                                          std::size_t limit);

/// The requests that held the event, the oldest first; and when it was delivered, if it was.
struct History {
  std::vector<RequestSummary> requests = {};
  std::optional<core::Instant> delivered_at = {};
};
/// Reads the request log once, since that may be long.
History history_of(sqlite3* db, const EventSummary& event);

/// When the events `ids`, which are not in the queue, were delivered. Requires: `ids` ascend. Reads
/// the request log around where they should be, and all of it for one that no request delivered.
std::map<std::int64_t, core::Instant> deliveries_of(sqlite3* db, const core::Ids& ids);

/// The requests of which the endpoint said something, and that held an event which is not in the
/// log any more, or of which it said something that names `subject` (none: of all that it said
/// something); in order.
core::Ids requests_about(sqlite3* db, const Subject* subject);

}  // namespace outbox::storage

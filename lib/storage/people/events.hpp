#pragma once

// Reading events for people: the log joined to the queue, and how many there are.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/explain.hpp"
#include "core/event/queued_event.hpp"
#include "outbox/inspect.hpp"
#include "storage/people/filter.hpp"

struct sqlite3;

namespace outbox::storage {

// The functions of outbox/inspect.hpp on a schema that has been checked.
// Throws: `database_error`.

std::vector<EventSummary> read_events(sqlite3* db, const EventFilter& filter,
                                      const ListOptions& options, core::Instant now);
std::vector<EventDetail> read_details(sqlite3* db, const EventFilter& filter,
                                      const ListOptions& options, core::Instant now);
/// Those of `ids` that are in the log. When they were delivered is for `put_deliveries` to say,
/// which reads the request log.
std::vector<EventSummary> read_summaries(sqlite3* db, const core::Ids& ids, Order order,
                                         core::Instant now);
void put_deliveries(sqlite3* db, std::vector<EventSummary>& events);
std::optional<EventDetail> read_event(sqlite3* db, std::int64_t id, core::Instant now);

/// The status of the queue but for the dispatchers, of which the database knows nothing. Checks the
/// schema itself. Its cost grows with the undelivered events only. Throws too: `schema_error`.
Status read_status(sqlite3* db, const std::string& destination, core::Instant now);

/// As `list_failures`.
std::vector<FailureReason> read_failures(sqlite3* db, const std::string& destination,
                                         std::size_t limit);

/// The destinations as `list_destinations` has them, but for the dispatchers.
std::vector<DestinationStatus> read_destinations(sqlite3* db);

/// An event of the log with its row in the queue, for a change.
struct EventRow {
  std::int64_t id = 0;
  std::string destination = {};
  std::string ordering_key = {};
  std::optional<core::QueuedEvent> queued = {};  // none: it is delivered
};

/// Those of `events` that are in the log, in commit order.
std::vector<EventRow> read_rows(sqlite3* db, const Chosen& events);

/// The event that holds back this one by its ordering key, the first of the key; none: there is
/// none.
std::optional<Holder> blocker_in_key(sqlite3* db, const EventDetail& event);

/// How many due events of its destination are before this one; counts to `due_before_max` + 1.
std::int64_t due_before(sqlite3* db, const EventSummary& event, core::Instant now);

}  // namespace outbox::storage

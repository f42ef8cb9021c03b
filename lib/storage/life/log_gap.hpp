#pragma once

// Events that are in the log and not in the queue, though nobody delivered them: a host that has
// switched triggers off inserted them by SQL.

#include <cstdint>
#include <string>

#include "core/event/id_ranges.hpp"

struct sqlite3;

namespace outbox::storage {

/// By how many ids the log and the counters differ: 0 in a file in which every id was used and
/// every event is queued, delivered, or removed and counted. Costs a count of the queue.
std::int64_t log_gap(sqlite3* db);

/// The events that are in the log alone. Reads the whole log.
core::Ids unqueued(sqlite3* db);

/// Puts events of the log into the queue. Requires: a write transaction is open.
void queue_events(sqlite3* db, const core::Ids& ids);

/// What a look found, without the write lock: writers would wait for as long as the log is read.
struct LogLook {
  std::int64_t gap = 0;
  bool has_missing = false;  // events are in the log alone, or were a moment ago
};

/// Reads the log unless the gap is the one that `destination` has noted.
LogLook look_for_missing(sqlite3* db, const std::string& destination);

/// Queues the events of all destinations that are in the log alone, if `look` found any, and notes
/// in the row of `destination` the gap that is left. Of all destinations, since a gap that the
/// events of one left would hide those of another.
///
/// Requires: a write transaction is open. Throws: `database_error`.
void queue_missing(sqlite3* db, const std::string& destination, LogLook look);

}  // namespace outbox::storage

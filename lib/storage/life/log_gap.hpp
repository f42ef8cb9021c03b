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

/// Events that are in the log alone, as far as the request `seen` of the log: found without the
/// write lock, since writers would wait for as long as the log is read.
struct Unqueued {
  core::Ids ids = {};
  std::int64_t seen = 0;
};
/// Reads the whole log.
Unqueued unqueued(sqlite3* db);

/// Puts events of the log into the queue. Requires: a write transaction is open.
void queue_events(sqlite3* db, const core::Ids& ids);
/// The same for those of `found` that are still missing: neither queued nor delivered nor removed
/// since. Returns how many.
std::int64_t queue_missing(sqlite3* db, const Unqueued& found);

/// What a look found.
struct LogLook {
  std::int64_t gap = 0;
  Unqueued missing = {};
};

/// Reads the log unless the gap is the one that `destination` has noted.
LogLook look_for_missing(sqlite3* db, const std::string& destination);

/// Notes in the row of `destination` a gap that was looked into: that of the look, less what was
/// queued of it, for all destinations. Not the gap of now, in which what was inserted since the
/// look would be hidden for ever.
///
/// Requires: a write transaction is open. Throws: `database_error`.
void note_gap(sqlite3* db, const std::string& destination, std::int64_t gap);

}  // namespace outbox::storage

#pragma once

// Takes what was delivered long ago out of the log, a request at a time: the request log knows what
// was delivered when, in order, so that nothing else is looked at.
//
// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.

#include <chrono>
#include <cstdint>
#include <string>

#include "core/clock.hpp"
#include "core/event/id_ranges.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// How much one step of a retention may do: some milliseconds of writing.
inline constexpr std::int64_t removed_events_max = 500;
inline constexpr int removed_requests_max = 100;
/// Of requests. What is removed is overwritten, so that large events are as long to write as to
/// store.
inline constexpr std::int64_t removed_bytes_max = 2'000'000;

class OldRequests {
 public:
  OldRequests(sqlite3* db, std::string destination);

  /// The oldest requests that ended at `ended_before` or earlier, as many as one `remove` takes,
  /// and one more. Reads only.
  core::Ids find(core::Instant ended_before, core::Instant now);

  /// Removes the events of the first ones of `requests`, with the rows of those requests, and moves
  /// the counters of the destination. Returns how many events. What was requeued stays, and so does
  /// the newest row of the request log.
  ///
  /// Requires: a write transaction is open, and secure_delete is on. Throws: `database_error`.
  std::int64_t remove(const core::Ids& requests);
  /// The last `remove` took all that were found.
  bool is_through() const { return is_through_; }

  /// How many events there are to remove in all. Reads only.
  std::int64_t count(core::Instant ended_before, core::Instant now);

 private:
  core::Ids find_up_to(std::size_t requests_max, core::Instant ended_before, core::Instant now);

  sqlite3* db_;
  std::string destination_;
  std::int64_t newest_ = 0;  // request, when it was looked last
  std::int64_t first_ = 0;   // nothing of the destination stands before: a row never gains what it
                             // delivered later
  bool is_through_ = false;
};

}  // namespace outbox::storage

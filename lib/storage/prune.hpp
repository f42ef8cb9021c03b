#pragma once

// Retention: takes what was delivered long ago out of the table, a little at a time.

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "core/clock.hpp"
#include "core/doubt.hpp"
#include "storage/change.hpp"
#include "storage/statement.hpp"

namespace outbox::storage {

/// Finds events of one destination that were delivered before an instant. There is no index on
/// them, which each delivery would have to pay for: it walks through the table in commit order and
/// stops where events are too young.
///
/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class OldEvents {
 public:
  OldEvents(sqlite3* db, std::string destination);

  /// The next ones, `chunk_events` at most; looks at a bounded number of rows. Empty does not mean
  /// that there are no more: see `is_through`.
  core::Ids next(core::Instant settled_before, core::Instant now);
  /// The last `next` came to the end.
  bool is_through() const { return is_through_; }
  /// Begins anew.
  void rewind() { at_ = {}, is_through_ = false; }

  struct Position {
    std::int64_t after = std::numeric_limits<std::int64_t>::min();
    std::int64_t young = 0;  // events in a row that are too young
  };
  Position position() const { return at_; }
  void go_back(const Position& position) { at_ = position, is_through_ = false; }

 private:
  std::string destination_;
  Statement rows_;
  Position at_ = {};
  bool is_through_ = false;
};

/// Deletes those of `ids` that are in a state that matches `guard`; returns how many of them, by
/// destination. Requires: a write transaction is open, and secure_delete is on.
Tally remove_events(sqlite3* db, const core::Ids& ids, const char* guard);

/// Moves the counters of `destination` for `count` events that were delivered and are removed.
inline constexpr auto count_removed_delivered =
    "update main.outbox_destinations set removed = removed + ?2, delivered = delivered - ?2"
    " where name = ?1";
inline constexpr auto count_removed =
    "update main.outbox_destinations set removed = removed + ?2 where name = ?1";

/// As `outbox::prune`, on a connection of the library's own.
std::int64_t prune(sqlite3* db, const PruneOptions& options, const ChangeNote& note, Run run,
                   core::Instant now);

}  // namespace outbox::storage

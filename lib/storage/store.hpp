#pragma once

// The dispatcher's side of the tables: what is due, and what became of it. One write transaction a
// round, none open in between.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/pending_event.hpp"
#include "core/settle.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

/// How much one `take` may read.
struct TakeLimits {
  std::size_t events_max = 100;
  std::size_t bytes_max = 1'900'000;  // stops after the event that reaches it
};

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Store {
 public:
  /// Throws: `schema_error` when `db` is not migrated or newer; `database_error`.
  /// While another connection writes, each step is tried again for `patience` at most.
  Store(sqlite3* db, std::string destination, std::chrono::milliseconds patience = busy_patience);

  /// Makes the destination known as served, and lifts a hold that belongs to another endpoint.
  void serve(const std::string& endpoint, core::Instant now);

  core::DestinationState destination();

  /// Due events in order of id, without those in `in_flight`; reads only. An event whose ordering
  /// key has an earlier pending event outside of what is returned waits.
  std::vector<core::PendingEvent> take(const TakeLimits& limits, core::Instant now,
                                       const std::unordered_set<std::int64_t>& in_flight);
  /// Lets the next `take` look at everything from `id` on again; 0: at everything.
  void look_again_from(std::int64_t id);

  /// Records the changes of a round in one transaction. Marks are guarded by `state = 0`, since
  /// people retry, discard and erase meanwhile.
  void record(const core::Settlement& settlement, core::Instant now);

  /// When the next scheduled event becomes due; none: none is scheduled.
  std::optional<core::Instant> next_due(core::Instant now);
  /// How many events are due at `now`.
  std::int64_t due_count(core::Instant now);

 private:
  struct Taking;
  void take_blocked_keys(Taking& taking);
  void take_scheduled(Taking& taking, std::size_t events_max);
  void take_at_once(Taking& taking);
  bool waits_for_earlier(const std::string& key, std::int64_t id, const Taking& taking);
  std::int64_t mark(std::int64_t id, int state, const std::string& error, core::Instant now);
  void log(const core::Attempt& attempt);

  sqlite3* db_;
  std::string destination_;
  std::chrono::milliseconds patience_;
  Statement destination_state_;
  Statement at_once_;
  Statement scheduled_;
  Statement of_key_;
  Statement before_in_key_;
  Statement next_due_;
  Statement mark_;
  Statement log_;
  Statement forget_old_batches_;
  Statement update_destination_;

  // What `take` remembers between calls, so that no cost grows with the backlog: ids up to here
  // have been looked at, and what was left of them is in flight or waits in one of these keys.
  std::int64_t looked_at_ = 0;
  std::set<std::string> blocked_keys_;
  std::uint64_t takes_ = 0;
};

}  // namespace outbox::storage

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

enum class Foreign { is_served, is_paused };

enum class Evidence {
  after,   // something was accepted after the suspect was refused
  around,  // or before that, while it was searched for
};

struct SuspectLimits {
  std::int64_t accepted_batch = 0;  // the newest request in which something was accepted
  Evidence evidence = Evidence::after;
  std::chrono::milliseconds wait_max{0};
};

using IdSet = std::unordered_set<std::int64_t>;

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Store {
 public:
  /// Throws: `schema_error` when `db` is not migrated or newer; `database_error`.
  /// While another connection writes, each step is tried again for `patience` at most.
  Store(sqlite3* db, std::string destination, std::chrono::milliseconds patience = busy_patience);

  /// Makes the destination known as served, and lifts a hold that belongs to another endpoint.
  /// `identity` is that of the database's file. False: events are pending that were last served in
  /// another file, so this one is a copy or was restored; `foreign` says what is done then.
  bool serve(const std::string& endpoint, core::Instant now, const std::string& identity = {},
             Foreign foreign = Foreign::is_served);

  /// How the destination is, with the searches that are under way.
  core::DestinationState destination();
  /// Whether a person has paused it.
  bool is_paused();

  /// Due events in order of id, without those in `left_out` and without suspects; reads only. An
  /// event whose ordering key has an earlier pending event outside of what is returned waits.
  std::vector<core::PendingEvent> take(const TakeLimits& limits, core::Instant now,
                                       const IdSet& left_out);
  /// Those of `ids` (in order) that are pending, no suspects, and wait for no earlier event of
  /// their ordering key.
  std::vector<core::PendingEvent> take_these(const core::Ids& ids);
  /// A suspect whose time has come: others were accepted since it was refused, or its own wait is
  /// over; one longer than `wait_max` comes from a clock that jumped, and is over.
  std::optional<core::PendingEvent> take_suspect(const SuspectLimits& limits, core::Instant now,
                                                 const IdSet& left_out);
  /// Up to `events_max` pending events that were due before `due_before`, without those in
  /// `left_out`.
  core::Ids expired(core::Instant due_before, std::size_t events_max, const IdSet& left_out);
  /// Lets the next `take` look at everything from `id` on again; 0: at everything.
  void look_again_from(std::int64_t id);

  /// Records the changes of a round in one transaction. Marks are guarded by `state = 0`, since
  /// people retry, discard and erase meanwhile. Returns for how long no other connection could
  /// write.
  std::chrono::microseconds record(const core::Settlement& settlement, core::Instant now);

  /// Changes when another connection has committed (sqlite.org/pragma.html#pragma_data_version).
  std::int64_t data_version();

  /// When the next scheduled event becomes due; none: none is scheduled.
  std::optional<core::Instant> next_due(core::Instant now);
  /// How many events are due at `now`.
  std::int64_t due_count(core::Instant now);
  /// How many pending events were refused alone and wait for their next try.
  std::int64_t suspect_count(core::Instant now);

 private:
  struct Taking;
  void take_blocked_keys(Taking& taking);
  void take_scheduled(Taking& taking, std::size_t events_max);
  void take_at_once(Taking& taking);
  bool waits_for_earlier(const std::string& key, std::int64_t id, const Taking& taking);
  bool has_earlier_outside(const std::string& key, std::int64_t id, const IdSet& taken);
  std::vector<core::Search> searches();
  bool has_pending();
  std::int64_t mark(std::int64_t id, int state, const std::string& error, core::Instant now);
  std::int64_t log(const core::Attempt& attempt);
  void count_attempts(std::int64_t id, const core::Suspicion& suspicion);
  void record_suspect(const core::Suspect& suspect, std::int64_t batch);
  void record_stance(const core::Stance& stance, std::int64_t delivered, std::int64_t requests,
                     std::optional<std::int64_t> accepted_batch);

  sqlite3* db_;
  std::string destination_;
  std::chrono::milliseconds patience_;
  Statement destination_state_;
  Statement searches_;
  Statement at_once_;
  Statement scheduled_;
  Statement of_key_;
  Statement before_in_key_;
  Statement by_id_;
  Statement suspect_;
  Statement next_due_;
  Statement mark_;
  Statement mark_suspect_;
  Statement log_;
  Statement update_search_;
  Statement forget_old_batches_;
  Statement update_destination_;
  Statement data_version_;

  // What `take` remembers between calls, so that no cost grows with the backlog: ids up to here
  // have been looked at, and what was left of them is in flight or waits in one of these keys.
  std::int64_t looked_at_ = 0;
  std::set<std::string> blocked_keys_;
  std::uint64_t takes_ = 0;
};

}  // namespace outbox::storage

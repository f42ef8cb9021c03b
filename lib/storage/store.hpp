#pragma once

// The dispatcher's side of the tables: what is due, and what became of it. One write transaction a
// round, none open in between.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/id_set.hpp"
#include "core/pending_event.hpp"
#include "core/settle.hpp"
#include "storage/progress.hpp"
#include "storage/prune.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

/// How much one `take` may read.
struct TakeLimits {
  std::size_t events_max = 100;
  std::size_t bytes_max = 1'900'000;  // stops after the event that reaches it
};

enum class Foreign { is_served, is_paused };

/// Who serves the destination, and how.
struct Service {
  std::string endpoint = {};
  std::string identity = {};  // of the database's file
  Foreign foreign = Foreign::is_served;
  core::OnDead on_dead = core::OnDead::unblocks;
  bool scrubs = false;  // overwrites payloads once they are delivered
};

enum class Evidence {
  after,   // something was accepted after the suspect was refused
  around,  // or before that, while it was searched for
};

struct SuspectLimits {
  std::int64_t accepted_batch = 0;  // the newest request in which something was accepted
  Evidence evidence = Evidence::after;
  std::chrono::milliseconds wait_max{0};
};

using core::IdSet;

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Store {
 public:
  /// Throws: `schema_error` when `db` is not migrated or newer; `database_error`.
  /// While another connection writes, each step is tried again for `patience` at most.
  Store(sqlite3* db, std::string destination, std::chrono::milliseconds patience = busy_patience);

  /// Makes the destination known as served, and lifts a hold that belongs to another endpoint.
  /// False: events are pending that were last served in another file, so this one is a copy or was
  /// restored; `Service::foreign` says what is done then.
  bool serve(const Service& service, core::Instant now);

  /// What is read until it ends is of one moment, which also spares SQLite's locks for each
  /// statement.
  ReadTransaction read() { return ReadTransaction{db_}; }

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
  /// There is more than the last `take` had the time to look at.
  bool has_more_to_look_at() const { return has_more_to_look_at_; }
  /// How many events `take` has passed over since it last began anew, since they wait for an
  /// earlier one of their ordering key.
  std::size_t passed_over() const { return progress_.passed_over(); }
  /// These were taken and are still pending: the next `take` looks at them first.
  void take_again(const core::Ids& ids);
  /// The next `take` begins anew: something that it has taken may be forgotten.
  void begin_anew();
  /// The next takes look again at what they have passed, a little at a time: it may have changed.
  void look_behind();

  /// Records the changes of a round in one transaction. Marks are guarded by the state, since
  /// people retry, discard and erase meanwhile. Returns for how long no other connection could
  /// write.
  std::chrono::microseconds record(const core::Settlement& settlement, core::Instant now);

  /// Removes some of the events that were delivered before `settled_before`, in one transaction.
  /// True: nothing is left to remove, and the next call begins anew.
  bool prune(core::Instant settled_before, core::Instant now);

  /// Changes when another connection has committed (sqlite.org/pragma.html#pragma_data_version).
  std::int64_t data_version();

  /// When the next scheduled event becomes due; none: none is scheduled.
  std::optional<core::Instant> next_due(core::Instant now);
  /// How many events are pending; counts no further than `count_max`.
  std::int64_t pending_count(std::int64_t count_max);
  /// Whether an event is due at `now`.
  bool has_due(core::Instant now);
  /// How many events are due at `now`.
  std::int64_t due_count(core::Instant now);
  /// How many pending events were refused alone and wait for their next try.
  std::int64_t suspect_count(core::Instant now);

 private:
  struct Taking;
  using TakenIds = std::unordered_set<std::int64_t>;
  void take_again(Taking& taking);
  void take_freed_keys(Taking& taking);
  bool take_freed_key(Taking& taking, const std::string& key);
  void take_scheduled(Taking& taking, std::size_t events_max);
  void take_at_once(Taking& taking);
  void take_behind(Taking& taking);
  bool is_scheduled_walk_old(core::Instant now) const;
  std::size_t walk(Taking& taking, Statement& range, Cursor& cursor, std::size_t events_max,
                   std::int64_t last_id = std::numeric_limits<std::int64_t>::max());
  bool is_ahead(std::int64_t due_at_ms, std::int64_t id) const;
  void remember_key(std::int64_t id, const std::string& key);
  void free_key_of(std::int64_t id);
  bool has_earlier_outside(const std::string& key, std::int64_t id, const TakenIds& taken);
  std::vector<core::Search> searches();
  std::int64_t count_at(core::Instant now, const char* sql);
  bool has_pending();
  void meet_endpoint(const std::string& endpoint);
  void pause_foreign(core::Instant now);
  void remove_delivered(const core::Ids& ids);
  std::int64_t deliver(std::int64_t id, core::Instant now);
  void bury(const core::Death& death, core::Instant now);
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
  Statement at_instant_;
  Statement after_instant_;
  Statement of_key_;
  Statement before_in_key_;
  Statement dead_in_key_;
  Statement by_id_;
  Statement suspect_;
  Statement next_due_;
  Statement mark_delivered_;
  Statement mark_scrubbed_;
  Statement mark_dead_;
  Statement mark_suspect_;
  Statement log_;
  Statement update_search_;
  Statement forget_old_batches_;
  Statement update_destination_;
  Statement data_version_;

  OldEvents old_events_;
  bool scrubs_ = false;
  core::OnDead on_dead_ = core::OnDead::unblocks;
  Progress progress_;
  bool has_more_to_look_at_ = false;
  std::uint64_t takes_ = 0;
};

}  // namespace outbox::storage

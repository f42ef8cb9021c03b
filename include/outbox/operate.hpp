#pragma once

// Operating the queue: what the CLI's changing commands do, for a page of your own. Each change but
// `nudge` leaves a row in `outbox_audit`, and wakes the dispatchers that it concerns.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"
#include "outbox/inspect.hpp"

namespace outbox {
inline namespace v1 {

/// Who changes something, and why; for the audit. Neither may hold personal data.
struct ChangeNote {
  std::string actor = "app";
  std::string reason = {};
};

/// Makes the dispatcher of `destination`, in whatever process, try now, whatever a hold says: with
/// one single event as a probe. A real write, because that is what other processes see.
///
/// Throws: `schema_error` without a schema; `std::invalid_argument` when `destination` can be no
/// name; `database_error`. Threads: the caller's, which must own `connection`.
OUTBOX_API void nudge(ConnectionRef connection, const std::string& destination = "track");

/// No round that begins after this has committed sends to `destination`, in any process, until
/// `resume`; one that has just looked may still start its requests. Works in the caller's
/// transaction too. The note's reason is shown to people; an empty one leaves that of a pause that
/// is there. Throws and threads: as `nudge`.
OUTBOX_API void pause(ConnectionRef connection, const std::string& destination,
                      const ChangeNote& note);

/// Ends a pause; a hold stays. Throws and threads: as `nudge`.
OUTBOX_API void resume(ConnectionRef connection, const std::string& destination,
                       const ChangeNote& note = {});

/// The events that a change is about.
class Selection {
 public:
  enum class Kind { ids, matching, all };

  /// Those named by id, at least one; of `destination` only, unless it is empty.
  static Selection ids(std::vector<std::int64_t> ids, std::string destination = {}) {
    return {Kind::ids, std::move(ids), {.destination = std::move(destination)}, {}};
  }
  /// What a filter lets through, the oldest first, at most `limit`. A destination alone is no
  /// filter: see `all`.
  static Selection matching(EventFilter filter, std::optional<std::size_t> limit = {}) {
    return {Kind::matching, {}, std::move(filter), limit};
  }
  /// Every event that the change can concern, the oldest first, at most `limit`; `within` narrows.
  static Selection all(EventFilter within = {}, std::optional<std::size_t> limit = {}) {
    return {Kind::all, {}, std::move(within), limit};
  }

  Kind kind() const { return kind_; }
  const std::vector<std::int64_t>& event_ids() const { return ids_; }
  const EventFilter& filter() const { return filter_; }
  std::optional<std::size_t> limit() const { return limit_; }

 private:
  Selection(Kind kind, std::vector<std::int64_t> ids, EventFilter filter,
            std::optional<std::size_t> limit)
      : kind_{kind}, ids_{std::move(ids)}, filter_{std::move(filter)}, limit_{limit} {}

  Kind kind_;
  std::vector<std::int64_t> ids_;
  EventFilter filter_;
  std::optional<std::size_t> limit_;
};

enum class Mode { apply, dry_run };  ///< dry_run: only counts.

/// Told after each short transaction how many events the change has concerned so far; may be empty.
/// Threads: the caller's.
using Progress = std::function<void(std::int64_t done)>;

/// Dead events, and pending ones that were refused or failed alone, become due now, without
/// refusals, with the same id and the same payload. Returns how many. Scheduled and discarded
/// events only when they are named by id or by `filter.state`; delivered ones never, so that a
/// retry cannot duplicate: see `requeue`.
///
/// Outside a transaction the work is done in short transactions with pauses between them, so that
/// other writers are not held up; after an exception a part of it may be done. Inside the caller's
/// transaction it is one savepoint.
/// Throws: `std::invalid_argument` for a selection that is empty, or a state that the change does
/// not concern; `schema_error`; `database_error`. Threads: as `nudge`.
OUTBOX_API std::int64_t retry(ConnectionRef connection, const Selection& selection,
                              const ChangeNote& note = {}, Mode mode = Mode::apply,
                              const Progress& progress = {});

/// Pending and dead events are given up: they stay, as discarded. Returns how many. One that is
/// under way may still arrive, and is delivered then. Throws too: `std::invalid_argument` without a
/// `note.reason`. The rest as `retry`.
OUTBOX_API std::int64_t discard(ConnectionRef connection, const Selection& selection,
                                const ChangeNote& note, Mode mode = Mode::apply,
                                const Progress& progress = {});

/// Delivered events are sent again, byte-identical: for a receiver that has lost them. Returns how
/// many; those whose payload was scrubbed are left out. `filter.since` and `until` are about when
/// they were delivered. The rest as `retry`.
OUTBOX_API std::int64_t requeue(ConnectionRef connection, const Selection& selection,
                                const ChangeNote& note = {}, Mode mode = Mode::apply,
                                const Progress& progress = {});

struct MoveReport {
  std::int64_t events = 0;
  /// Left where they are: the other destination has an event with their dedupe key.
  std::int64_t duplicates = 0;
  /// `from` had nothing left, had no dispatcher, and is forgotten; its counters went along.
  bool is_removed = false;
};

/// Pending and dead events of `from` become events of `to`, with the same ids and payloads: for a
/// destination whose name was mistyped, or is renamed. Dead ones stay dead; pending ones begin
/// again, without refusals. Delivered and discarded ones stay. Until it returns no dispatcher of
/// `from` begins: it holds that one's lock. Ended half-way, it leaves each event at one of the two,
/// and may be called again.
///
/// Requires: no transaction open on `connection`: a dispatcher could begin before it commits.
/// Throws: `std::logic_error` inside one; `std::invalid_argument` when the two are one, or when a
/// dispatcher serves `from` and it is not paused, or has requests under way for 2 s;
/// `std::runtime_error` when that pause ends meanwhile, when the lock file cannot be opened, is not
/// the database owner's or is removed, or when somebody had the lock at that moment. The rest as
/// `retry`.
OUTBOX_API MoveReport move_events(ConnectionRef connection, const std::string& from,
                                  const std::string& to, const ChangeNote& note = {},
                                  Mode mode = Mode::apply, const Progress& progress = {});

/// What `prune` removes.
struct PruneOptions {
  std::chrono::milliseconds older_than = std::chrono::hours{24 * 7};  ///< Since it was settled.
  std::string destination = {};                                       ///< Empty: all.
  bool includes_discarded = false;  ///< Else delivered events only.
};

/// Removes delivered events (dispatchers do so by themselves: `DispatcherOptions::keep_delivered`),
/// and discarded ones if asked to, on a connection of its own and in short transactions. Returns
/// how many. Throws: `std::invalid_argument`, `schema_error`, `database_error`. Threads: any.
OUTBOX_API std::int64_t prune(const DatabaseFile& database, const PruneOptions& options,
                              const ChangeNote& note = {}, Mode mode = Mode::apply,
                              const Progress& progress = {});

/// Whose data is erased.
class Subject {
 public:
  enum class Kind { email, user, group };

  /// Every event that holds this address, in any text of its payload, in a header or in a key.
  /// ASCII letters match in either case.
  static Subject email(std::string address) { return {Kind::email, std::move(address)}; }
  /// Every event with this value in a `user_id` or `…_user_id`.
  static Subject user(std::string user_id) { return {Kind::user, std::move(user_id)}; }
  /// Every event with this value in a `group_id` or `…_group_id`.
  static Subject group(std::string group_id) { return {Kind::group, std::move(group_id)}; }

  Kind kind() const { return kind_; }
  const std::string& value() const { return value_; }

 private:
  Subject(Kind kind, std::string value) : kind_{kind}, value_{std::move(value)} {}

  Kind kind_;
  std::string value_;
};

/// An event that an erasure finds, and where in it the subject stands.
struct ErasableEvent {
  std::int64_t id = 0;
  /// "payload: invitee_email" (the JSON key before the value), "headers: …", "ordering key",
  /// "dedupe key", "event id" or "kind". Masked, since a key may be an address.
  std::string place = {};
};

struct EraseReport {
  std::int64_t events = 0;
  std::vector<ErasableEvent> found = {};  ///< In order of id; only with `Mode::dry_run`.
  /// A dispatcher that had a request under way when the events were erased, and may have one of
  /// them in it still; none: nothing of them is sent any more.
  std::optional<ActiveDispatcher> may_still_be_sent_by = {};
  /// False: someone is still reading, so that older pages remain in the WAL until the next
  /// checkpoint. Erase again.
  bool is_wal_truncated = true;
  /// An earlier erasure, of any subject, had left something to do, and this one went on with it.
  bool went_on = false;
};

/// Removes every event of `subject`, in whatever state, from the database and its WAL, and what the
/// endpoint said of them from the request log. Overwrites what it removes, on a connection of its
/// own, and waits up to `time_max` for requests under way. Backups and replicas are yours to clean.
///
/// If it stops half-way, the next erasure, of any subject, finishes it: its work list is in the
/// audit until it is done. Events that are enqueued meanwhile may be missed: erase when the app has
/// forgotten the subject. Throws: as `prune`; `std::runtime_error`, before anything is changed,
/// when a dispatcher's lock file is there and may not be looked at: another user's. Threads: any.
OUTBOX_API EraseReport erase(const DatabaseFile& database, const Subject& subject,
                             const ChangeNote& note = {}, Mode mode = Mode::apply,
                             std::chrono::milliseconds time_max = std::chrono::seconds{5});

struct RepairReport {
  /// Events that were in the log alone, or waited for one that is gone: they will be delivered.
  std::int64_t queued = 0;
  std::int64_t unqueued = 0;   ///< Rows of the queue whose event is not in the log: removed.
  std::int64_t recounted = 0;  ///< Destinations whose counter of delivered events was set right.
};

/// Repairs what `diagnose` calls repairable, in one transaction, and leaves a row in the audit when
/// it did something. Throws and threads: as `nudge`.
OUTBOX_API RepairReport repair(ConnectionRef connection, const ChangeNote& note = {},
                               Mode mode = Mode::apply);

}  // namespace v1
}  // namespace outbox

#pragma once

// Operating the queue: what the CLI's changing commands do, for a page of your own. Each change
// leaves a row in `outbox_audit`, and wakes the dispatchers that it concerns.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"
#include "outbox/inspect.hpp"

namespace outbox {
inline namespace v0 {

/// Makes the dispatcher of `destination`, in whatever process, try now, whatever a hold says: with
/// one single event as a probe. A real write, because that is what other processes see.
///
/// Throws: `schema_error` without a schema; `database_error`.
/// Threads: the caller's, which must own `connection`.
OUTBOX_API void nudge(ConnectionRef connection, const std::string& destination = "track");

/// No round that begins after this has committed sends to `destination`, in any process, until
/// `resume`; one that has just looked may still start its requests. Works in the caller's
/// transaction too. `reason` is shown to people. Throws and threads: as `nudge`.
OUTBOX_API void pause(ConnectionRef connection, const std::string& destination,
                      const std::string& reason, const std::string& actor = "app");

/// Ends a pause; a hold stays. Throws and threads: as `nudge`.
OUTBOX_API void resume(ConnectionRef connection, const std::string& destination,
                       const std::string& actor = "app");

/// Who changes something, and why; for the audit. Neither may hold personal data.
struct ChangeNote {
  std::string actor = "app";
  std::string reason = {};
};

/// The events that a change is about: those named by id, or all that a filter lets through; of one
/// destination, if `filter.destination` names it. `all` must be set to mean every event that the
/// change can concern: a destination or a limit alone is no filter.
struct Selection {
  std::vector<std::int64_t> ids = {};
  EventFilter filter = {.limit = std::nullopt};
  bool all = false;
};

enum class Mode { apply, dry_run };  ///< dry_run: only counts.

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
                              const ChangeNote& note = {}, Mode mode = Mode::apply);

/// Pending and dead events are given up: they stay, as discarded. Returns how many. One that is
/// under way may still arrive, and is delivered then. Throws too: `std::invalid_argument` without a
/// `note.reason`. The rest as `retry`.
OUTBOX_API std::int64_t discard(ConnectionRef connection, const Selection& selection,
                                const ChangeNote& note, Mode mode = Mode::apply);

/// Delivered events are sent again, byte-identical: for a receiver that has lost them. Returns how
/// many; those whose payload was scrubbed are left out. `filter.since` and `until` are about when
/// they were delivered. The rest as `retry`.
OUTBOX_API std::int64_t requeue(ConnectionRef connection, const Selection& selection,
                                const ChangeNote& note = {}, Mode mode = Mode::apply);

/// What `prune` removes.
struct PruneOptions {
  std::chrono::milliseconds older_than = std::chrono::hours{24 * 7};  ///< Since it was settled.
  std::string destination = {};                                       ///< Empty: all.
  bool with_discarded = false;  ///< Else delivered events only.
};

/// Removes delivered events (dispatchers do so by themselves: `DispatcherOptions::keep_delivered`),
/// and discarded ones if asked to, on a connection of its own and in short transactions. Returns
/// how many. Throws: `std::invalid_argument`, `schema_error`, `database_error`. Threads: any.
OUTBOX_API std::int64_t prune(const DatabaseFile& database, const PruneOptions& options,
                              const ChangeNote& note = {}, Mode mode = Mode::apply);

/// Whose data is erased. Exactly one of them is set.
struct Subject {
  /// Every event that holds this address, in any text of its payload or in a key. ASCII letters
  /// match in either case.
  std::string email = {};
  std::string user_id = {};   ///< Every event with this value in a `user_id` or `…_user_id`.
  std::string group_id = {};  ///< Every event with this value in a `group_id` or `…_group_id`.
};

struct EraseReport {
  std::int64_t events = 0;
  /// A dispatcher that had a request under way when the events were erased, and may have one of
  /// them in it still; none: nothing of them is sent any more.
  std::optional<ActiveDispatcher> may_still_be_sent_by = {};
  /// False: someone is still reading, so that older pages remain in the WAL until the next
  /// checkpoint. Erase again.
  bool is_wal_truncated = true;
};

/// Removes every event of `subject`, in whatever state, from the database and its WAL, and what the
/// endpoint said of them from the request log. Overwrites what it removes, on a connection of its
/// own, and waits up to `patience` for requests under way. Backups and replicas are yours to clean.
///
/// If it stops half-way, the next erasure, of any subject, finishes it: its work list is in the
/// audit until it is done. Events that are enqueued meanwhile may be missed: erase when the app has
/// forgotten the subject. Throws: as `prune`. Threads: any.
OUTBOX_API EraseReport erase(const DatabaseFile& database, const Subject& subject,
                             const ChangeNote& note = {}, Mode mode = Mode::apply,
                             std::chrono::milliseconds patience = std::chrono::seconds{5});

/// A change that a person made.
struct AuditEntry {
  std::int64_t id = 0;
  std::chrono::system_clock::time_point at = {};
  std::string action = {};  ///< "retry", "discard", "pause", …
  std::string actor = {};
  std::string destination = {};  ///< Empty: several.
  std::string subject = {};      ///< Ids, or the names of the filters; never personal data.
  std::int64_t events = 0;
  std::string reason = {};
};

/// The newest `limit` changes, the newest first. Throws and threads: as `status`.
OUTBOX_API std::vector<AuditEntry> list_audit(ConnectionRef connection, std::size_t limit = 100);

}  // namespace v0
}  // namespace outbox

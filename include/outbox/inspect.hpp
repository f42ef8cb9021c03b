#pragma once

// Looking at the queue: what `outbox status` shows, for a page of your own. Reads only, and never
// counts delivered events: the cost of `status` grows with the undelivered ones.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"
#include "outbox/states.hpp"
#include "outbox/verdict.hpp"

namespace outbox {
inline namespace v1 {

/// Counts of events. `enqueued = pending + delivered + dead + discarded + removed`, and
/// `pending = due + scheduled + waiting + retrying`.
struct Counts {
  std::int64_t pending = 0;    ///< Neither delivered nor dead nor discarded.
  std::int64_t due = 0;        ///< Pending, and may go now.
  std::int64_t scheduled = 0;  ///< Pending, and not yet due.
  std::int64_t waiting = 0;    ///< Pending and due, but behind an earlier event of its key.
  std::int64_t retrying = 0;   ///< Pending, and refused or failed alone: tried again alone.
  std::int64_t dead = 0;
  std::int64_t discarded = 0;
  std::int64_t delivered = 0;        ///< Still stored as delivered.
  std::int64_t enqueued = 0;         ///< Of the file: every event ever. Of a destination: the sum.
  std::int64_t removed = 0;          ///< Pruned or erased, of any state.
  std::int64_t delivered_total = 0;  ///< Deliveries ever recorded.
  std::int64_t requests_total = 0;   ///< Requests ever answered or failed.
  std::int64_t moved_away = 0;       ///< Of a destination: people moved them to others.
  /// Age of the oldest due event: since it was enqueued or became due.
  std::optional<std::chrono::milliseconds> oldest_due_age = {};
  /// Age of the oldest one of `retrying`, since it was enqueued. Those of its key wait behind it.
  std::optional<std::chrono::milliseconds> oldest_retrying_age = {};
};

/// Nothing is sent until `resume`: a person stopped the destination, or a dispatcher that found a
/// copied or restored database.
struct Pause {
  std::string reason = {};
  std::chrono::system_clock::time_point since = {};
};

/// The dispatcher waits, by its own decision.
struct Hold {
  HoldKind kind = HoldKind::backing_off;
  std::string reason = {};  ///< E.g. "HTTP 503".
  std::chrono::system_clock::time_point since = {};
  std::chrono::system_clock::time_point until = {};  ///< The next try.
  std::int64_t tries = 0;                            ///< Failed requests since `since`.
};

/// A dispatcher that is alive: it holds the destination's lock.
struct ActiveDispatcher {
  /// 0: the lock file may not be read, since it is another user's. Then only `last_round` is known.
  std::int64_t pid = 0;
  std::string host = {};
  /// `host` is not the name of this one: that of a container, say, with pids of its own.
  bool is_elsewhere = false;
  std::chrono::system_clock::time_point since = {};
  std::chrono::system_clock::time_point last_round = {};
  /// When the oldest request was put together that was still under way, or not yet recorded, at the
  /// start of that round. None: there was no such request.
  std::optional<std::chrono::system_clock::time_point> in_flight_since = {};
  /// Why it cannot use the database now; empty: it can.
  std::string database_trouble = {};
  /// Why it does nothing, in words: its process is stopped, or there was no round for 10 s. Empty:
  /// it works.
  std::string trouble = {};
};

/// An event that holds later ones of its ordering key back: a suspect, or a dead one where death
/// blocks.
struct Holder {
  std::int64_t id = 0;
  bool is_dead = false;
  std::int64_t refusals = 0;       ///< It was refused alone this often.
  std::int64_t solo_failures = 0;  ///< The endpoint failed at it alone, while it accepted others.
  std::int64_t holds = 0;          ///< Later events of its key; above 1,000: 1,001.
};

struct DestinationStatus {
  std::string name = {};
  Counts counts = {};
  std::optional<Pause> paused = {};
  std::optional<Hold> hold = {};
  std::optional<ActiveDispatcher> dispatcher = {};
  std::vector<Holder> holders = {};  ///< Those that hold most, of the first 100; at most 3.
  /// False: no dispatcher has ever served it; perhaps a typo in someone's SQL.
  bool was_ever_served = false;
  /// True: events are pending that were last served from another file. This one is a copy, or was
  /// restored, and they may have been delivered already.
  bool is_foreign = false;
  bool blocks_on_dead = false;  ///< What its last dispatcher was told (`DispatcherOptions`).
};

struct Status {
  int schema_version = 0;
  Counts counts = {};  ///< Of all destinations that were asked for.
  std::vector<DestinationStatus> destinations = {};
};

/// The state of the queue; of one destination, when it is named.
///
/// Throws: `schema_error` without a schema or with a newer one; `std::invalid_argument` when
/// `destination` can be no name; `database_error`.
/// Threads: the caller's, which must own `connection`.
[[nodiscard]] OUTBOX_API Status status(ConnectionRef connection,
                                       const std::string& destination = {});

/// The destinations without what takes counting: of `counts` only what is kept as a number
/// (`delivered`, `delivered_total`, `removed`, `requests_total`), and no `holders`. Its cost is
/// that of a few rows, however many events are undelivered.
///
/// Throws and threads: as `status`.
[[nodiscard]] OUTBOX_API std::vector<DestinationStatus> list_destinations(ConnectionRef connection);

/// Which events; every member narrows. Times are of the years 1970 to 9999.
struct EventFilter {
  std::string destination = {};          ///< Empty: all.
  std::optional<EventState> state = {};  ///< None: all. `pending`: all that is undelivered.
  std::string event_name = {};
  std::string user_id = {};
  std::string group_id = {};
  std::string error = {};                                           ///< A part of `last_error`.
  std::optional<std::chrono::system_clock::time_point> since = {};  ///< Enqueued at or after.
  std::optional<std::chrono::system_clock::time_point> until = {};  ///< Enqueued before.
  /// Died or was discarded at or after this instant.
  std::optional<std::chrono::system_clock::time_point> settled_since = {};

  friend bool operator==(const EventFilter&, const EventFilter&) = default;
};

enum class Order { oldest_first, newest_first };

/// Which part of a list of events.
struct ListOptions {
  /// At most this many; none: no limit. Page long lists with it and `after_id`.
  std::optional<std::size_t> limit = {};
  Order order = Order::oldest_first;  ///< By commit; the limit keeps the first ones of this order.
  /// The next page: only what comes behind this event in `order`.
  std::optional<std::int64_t> after_id = {};
};

/// An event as people see it. Fields of the payload are empty where it has none, or is no JSON.
struct EventSummary {
  std::int64_t id = 0;
  std::string event_id = {};
  std::string destination = {};
  std::string event_name = {};
  std::string user_id = {};
  std::string group_id = {};
  EventState state = EventState::pending;
  std::int64_t refusals = 0;       ///< It was refused alone this often.
  std::int64_t solo_failures = 0;  ///< The endpoint failed at it alone, while it accepted others.
  std::chrono::system_clock::time_point enqueued_at = {};
  std::optional<std::chrono::system_clock::time_point> due_at = {};  ///< None: at once.
  std::optional<std::chrono::system_clock::time_point> settled_at = {};
  std::string last_error = {};
};

/// A request, from the request log. A row stays as long as the events that it delivered; of the
/// others, the newest 10,000 stay.
struct RequestSummary {
  std::int64_t id = 0;
  std::string destination = {};
  std::chrono::system_clock::time_point started_at = {};
  std::chrono::milliseconds took{0};
  std::int64_t events = 0;
  std::int64_t first_id = 0;
  std::int64_t last_id = 0;
  std::int64_t bytes = 0;
  std::optional<int> status = {};  ///< HTTP status; none: no answer, or not of HTTP.
  Verdict verdict = Verdict::failed;
  std::string reason = {};
  std::string response_id = {};
  std::string warnings = {};
  std::optional<std::int64_t> parent = {};  ///< The request whose search this was a part of.
};

/// One event with what was sent and what came of it. The payload is about people: mask it.
struct EventDetail {
  EventSummary event = {};
  std::string payload = {};
  std::string kind = {};     ///< Empty: track.
  std::string headers = {};  ///< A JSON object; empty: none.
  std::string ordering_key = {};
  std::string dedupe_key = {};
  std::vector<RequestSummary> requests = {};  ///< Those that held it, the oldest first.
};

/// Why an event is not delivered yet.
struct Explanation {
  std::int64_t id = 0;
  EventState state = EventState::pending;
  std::optional<WaitingFor> waiting_for = {};  ///< None: nothing.
  std::string text = {};                       ///< A sentence or two for people.
};

/// `text` with everything in it that looks like an e-mail address masked: "a**@achme.com". For
/// reasons and errors, which should hold no people and sometimes do. Throws: only
/// `std::bad_alloc`. Threads: any.
[[nodiscard]] OUTBOX_API std::string mask_addresses(std::string_view text);

// Errors and threads of the functions below are those of `status`.

/// Events that match, in commit order. Filters on the payload's fields read every event of the
/// state, and without an undelivered state every event.
/// Throws too: `std::invalid_argument` for a state, a destination or a time that cannot be.
[[nodiscard]] OUTBOX_API std::vector<EventSummary> list_events(ConnectionRef connection,
                                                               const EventFilter& filter = {},
                                                               const ListOptions& options = {});

/// The same with payloads and without requests, for an export. Each call is one short read: go on
/// with `after_id` and a limit, so that the WAL can be checkpointed between them.
[[nodiscard]] OUTBOX_API std::vector<EventDetail> list_details(ConnectionRef connection,
                                                               const EventFilter& filter,
                                                               const ListOptions& options = {});

/// None: there is no such event.
[[nodiscard]] OUTBOX_API std::optional<EventDetail> find_event(ConnectionRef connection,
                                                               std::int64_t id);

/// None: there is no such event.
[[nodiscard]] OUTBOX_API std::optional<Explanation> explain(ConnectionRef connection,
                                                            std::int64_t id);

/// The newest `limit` requests to `destination` (empty: all), the newest first.
[[nodiscard]] OUTBOX_API std::vector<RequestSummary> list_requests(
    ConnectionRef connection, const std::string& destination = {}, std::size_t limit = 100);

/// A change that a person made.
struct AuditEntry {
  std::int64_t id = 0;
  std::chrono::system_clock::time_point at = {};
  std::string action = {};  ///< "retry", "discard", "pause", …
  std::string actor = {};
  std::string destination = {};  ///< Empty: all.
  std::string subject = {};      ///< Ids, or the names of the filters; never personal data.
  std::int64_t events = 0;
  std::string reason = {};
};

/// The newest `limit` changes, the newest first. With a `destination`: those that name it, and
/// those that concerned all. Throws and threads: as `status`.
[[nodiscard]] OUTBOX_API std::vector<AuditEntry> list_audit(ConnectionRef connection,
                                                            const std::string& destination = {},
                                                            std::size_t limit = 100);

/// What failed, and how often: the dead and the retrying events by their last error.
struct FailureReason {
  std::string destination = {};
  std::string reason = {};  ///< As `EventSummary::last_error`.
  bool is_dead = false;     ///< False: they are tried again.
  std::int64_t events = 0;
  std::int64_t newest_id = 0;  ///< One to look at.
};

/// The reasons of a destination (empty: all), the most frequent first; at most `limit`. Errors and
/// threads: as `status`.
[[nodiscard]] OUTBOX_API std::vector<FailureReason> list_failures(
    ConnectionRef connection, const std::string& destination = {}, std::size_t limit = 100);

/// What `diagnose` found of one thing.
struct Finding {
  enum class Level { good, warning, problem };

  std::string name = {};  ///< Stable: "integrity", "schema", "plans", "queue", "counters".
  Level level = Level::good;
  std::string text = {};       ///< One sentence for people.
  bool is_repairable = false;  ///< `outbox::repair` helps.
};

/// Looks at the whole file: SQLite's integrity, the schema and whether the statements of the
/// dispatcher find their rows by its indexes, and whether log, queue and counters agree. Reads
/// only, but every row: minutes for a large file.
[[nodiscard]] OUTBOX_API std::vector<Finding> diagnose(ConnectionRef connection);

}  // namespace v1
}  // namespace outbox

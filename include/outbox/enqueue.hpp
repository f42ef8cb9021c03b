#pragma once

// Recording events in the app's own transaction.
//
//     SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
//     save_invite(db, invite);
//     outbox::enqueue(db, outbox::InviteSent{.user_id = …, .group_id = …, .invitee = {…}});
//     transaction.commit();  // both, or neither

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/events.hpp"
#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

/// How the events of one call are queued.
struct EnqueueOptions {
  /// The destination; must match `[a-z0-9][a-z0-9_-]{0,31}`. Defaults to "track".
  std::string destination = "track";
  /// Several destinations instead: each event is stored once for each of them, with one event id.
  /// Empty (default): `destination` alone.
  std::vector<std::string> destinations = {};
  /// What a sink routes by, at most 64 bytes. Empty (default): what the event is by itself (track,
  /// identify or group). Another one is for a `Payload`.
  std::string kind = {};
  /// For sinks that have headers; the Track API's ignores them. A name and a value each, together
  /// at most 4,096 bytes as JSON. Names are of `[A-Za-z0-9_-]`, and no two are alike (upper and
  /// lower case count as the same).
  std::vector<std::pair<std::string, std::string>> headers = {};
  /// Events with the same key are delivered one after the other, in commit order, also with several
  /// connections. Empty: no order beyond commit order. At most 256 bytes.
  std::string ordering_key = {};
  /// While an event with this key is stored, a second one for the same destination is not. Empty:
  /// none. Only for calls with one event. At most 256 bytes.
  std::string dedupe_key = {};
  /// Not sent before this instant, of the years 1970 to 9999. None (default): at once.
  std::optional<std::chrono::system_clock::time_point> not_before = {};
  /// Write the event id into `context.event_id`, for receivers that deduplicate. Off by default:
  /// the Track API's documents know no such field. Not for `Payload`, whose bytes are yours.
  bool puts_event_id_in_context = false;
  /// Larger events are refused. Defaults to 256 KiB; 1 to 1,000,000 bytes.
  std::size_t event_bytes_max = std::size_t{256} * 1024;
  /// Refuses with `queue_full` what would make more events of the destination pending; at least 1.
  /// None (default): no cap, since an outage of the endpoint should cost the app nothing. While
  /// the whole file has no more events that are pending, dead or discarded than the cap, a call
  /// counts nothing. Beyond that it counts the pending events of its destination: at most one row
  /// more than the cap.
  std::optional<std::size_t> pending_events_max = {};
};

/// What became of one event.
struct Enqueued {
  std::int64_t id = 0;        ///< The row, in commit order; what people type.
  std::string event_id = {};  ///< UUIDv7, made once. Of a duplicate: the event that was there.
  bool is_duplicate = false;  ///< True when `dedupe_key` was there already; nothing was stored.
  std::string destination = {};
};

/// A range of one kind of event, e.g. `std::vector<outbox::InviteSent>` or a view of such.
template <class Events>
concept EventRange = requires(Events&& events) {
  requires std::constructible_from<Event, decltype(*events.begin())>;
  events.end();
}
&&!std::convertible_to<Events, std::span<const Event>> && !std::convertible_to<Events, Event>;

/// Records one event in the transaction that is open on `connection`. With several destinations the
/// result is that of the first one; the call with a span gives those of all.
///
/// Requires: an open transaction on `connection`, and a migrated `main` database.
/// Throws: `not_in_transaction`; `invalid_event` when the event breaks a rule;
/// `std::invalid_argument` when the options do; `queue_full` beyond a cap that the options set;
/// `schema_error` without a schema; `database_error` when SQLite refuses; `std::runtime_error` when
/// the system has no random bytes. Validation happens before the first statement; after any
/// exception the transaction holds what it held before, unless SQLite itself rolled it back (disk
/// full, I/O error). Threads: the caller's, which must own `connection`.
OUTBOX_API Enqueued enqueue(ConnectionRef connection, const Event& event,
                            const EnqueueOptions& options = {});

/// Records several events, all or none. Default timestamps are 1 ms apart, as the Track API
/// advises. Errors and threads: as above. The results are in the order of the events; with several
/// destinations one for each of them, in their order, event by event.
OUTBOX_API std::vector<Enqueued> enqueue(ConnectionRef connection, std::span<const Event> events,
                                         const EnqueueOptions& options = {});

inline std::vector<Enqueued> enqueue(ConnectionRef connection, std::initializer_list<Event> events,
                                     const EnqueueOptions& options = {}) {
  return enqueue(connection, std::span<const Event>{events.begin(), events.size()}, options);
}

/// Any range of one kind of event, such as `std::vector<outbox::InviteSent>`.
template <EventRange Events>
std::vector<Enqueued> enqueue(ConnectionRef connection, Events&& events,
                              const EnqueueOptions& options = {}) {
  const std::vector<Event> copies(events.begin(), events.end());
  return enqueue(connection, std::span<const Event>{copies}, options);
}

/// `enqueue` with its statement kept prepared, for hot paths.
///
/// Default timestamps also increase from call to call, by at least 1 ms: above 1,000 events a
/// second they run ahead of the clock, and a call that would begin more than a minute ahead begins
/// at the clock again. Lifetime: must be destroyed before its connection is closed.
/// Threads: one at a time, the one that uses the connection.
class OUTBOX_API Writer {
 public:
  /// Throws: `schema_error` without a schema; `database_error`.
  explicit Writer(ConnectionRef connection);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Enqueued enqueue(const Event& event, const EnqueueOptions& options = {});
  std::vector<Enqueued> enqueue(std::span<const Event> events, const EnqueueOptions& options = {});
  std::vector<Enqueued> enqueue(std::initializer_list<Event> events,
                                const EnqueueOptions& options = {}) {
    return enqueue(std::span<const Event>{events.begin(), events.size()}, options);
  }
  template <EventRange Events>
  std::vector<Enqueued> enqueue(Events&& events, const EnqueueOptions& options = {}) {
    const std::vector<Event> copies(events.begin(), events.end());
    return enqueue(std::span<const Event>{copies}, options);
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace v1
}  // namespace outbox

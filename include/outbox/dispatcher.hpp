#pragma once

// Delivering what was committed: in the background, or once in the foreground.
//
//     outbox::Dispatcher dispatcher{"app.db", outbox::track_api({.credentials = …})};

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/export.hpp"
#include "outbox/histogram.hpp"
#include "outbox/observer.hpp"

namespace outbox {
inline namespace v1 {

struct DispatcherOptions {
  /// The destination that is delivered. Defaults to "track".
  std::string destination = "track";
  /// Most events in one request; 1 to 1,000, and never more than the sink takes. Defaults to 100,
  /// as the Track API recommends.
  std::size_t batch_events = 100;
  /// Most bytes of stored payloads in one request; a format's own come on top, and a larger event
  /// goes alone. 1,000 to 2,000,000, and never more than the sink takes. Defaults to 1,900,000.
  std::size_t batch_bytes = 1'900'000;
  /// Requests under way at once; 1 to 64. With 1 (default) events arrive in commit order; with
  /// more, requests start in commit order and only events with the same ordering key keep it.
  std::size_t connections = 1;
  /// Most requests in a second, those that ask whether the endpoint works again too; 0.001 to
  /// 100,000. For an endpoint that answers 429 above a rate. Defaults to none: as fast as it goes.
  std::optional<double> requests_per_second_max = {};
  /// First wait after the endpoint failed; doubles up to `backoff_max`, half of it random.
  std::chrono::milliseconds backoff_min = std::chrono::seconds{1};
  /// Longest wait. Defaults to 10 min; not below `backoff_min`, at most 24 h. A Retry-After of the
  /// endpoint is respected beyond it, up to 24 h.
  std::chrono::milliseconds backoff_max = std::chrono::minutes{10};
  /// An event that is pending for longer since it was due dies with the reason "expired", whether
  /// or not it was ever sent; for one that was refused alone, since it was enqueued. Looked at once
  /// a minute. At least 1 ms. Defaults to none: never.
  std::optional<std::chrono::milliseconds> give_up_after = {};
  /// An event dies after this many failures (5xx, no answer) when it is sent alone, if others are
  /// accepted meanwhile. It takes more at an endpoint that often accepts, in the end, an event at
  /// which it failed before (docs/guarantees.md). Defaults to 10; at least 1.
  std::int64_t solo_failures_max = 10;
  /// An event that is refused alone again and again, while all that could be accepted waits behind
  /// it in its ordering key, dies after 5 refusals over 3 minutes, although nothing proves that it
  /// is to blame rather than the endpoint. At most one event a key dies so, and ten in all, until
  /// something is accepted. Defaults to true; false: its key waits until a person decides.
  bool buries_cornered = true;
  /// A dead event holds back the later ones of its ordering key until a person retries or discards
  /// it. Defaults to false: the others go on.
  bool blocks_on_dead = false;
  /// How long delivered events stay in the table, to be looked up or sent again. Removed by the
  /// dispatcher, some hundred at a time; a call of `deliver_once` may leave some to the next one.
  /// Defaults to 7 days; 0: they go as soon as they are delivered; none: they stay for ever.
  std::optional<std::chrono::milliseconds> keep_delivered = std::chrono::hours{24 * 7};
  /// Overwrites the payload with `{}` as soon as an event is delivered; the rest of the row stays.
  /// Such an event cannot be sent again. Defaults to false.
  bool scrubs_delivered = false;
  /// Told what happens, on the dispatcher's own thread; empty: nobody. `deliver_once` tells it of
  /// its requests too.
  Observer observer = {};
  /// Refuses at construction, and in `deliver_once`, what is otherwise only reported by
  /// `check_host` and as a warning: a SQLite with the WAL-reset bug (docs/operations.md), two
  /// copies of SQLite in the process.
  bool refuses_unsafe_sqlite = false;
  /// Pauses the destination, as a person would, when the database is found to be a copy or restored
  /// while events are pending: a test system must not send the real ones, and a restored database
  /// would send some again. Defaults to a warning only.
  bool pauses_foreign_database = false;
  /// Where the time comes from, for tests (outbox/testing.hpp has a clock that stands still); empty
  /// (default): the system. With a clock of yours `deliver_once` waits for no time to come.
  /// Threads: called on the dispatcher's own.
  std::function<std::chrono::system_clock::time_point()> clock = {};
};

/// What a dispatcher has done and how it is. Never holds a payload or a token.
struct Stats {
  std::string destination = {};
  std::uint64_t delivered = 0;  ///< Events, since the dispatcher was made.
  std::uint64_t dead = 0;       ///< Events that it gave up; a person decides.
  std::uint64_t requests = 0;   ///< Requests that were answered or failed.
  bool is_active =
      false;  ///< False: another dispatcher serves the destination; this one stands by.
  bool is_paused = false;  ///< Until `resume`; see `Pause`.
  /// Why the destination waits, e.g. "HTTP 503", without words of the endpoint; empty: it does not.
  std::string hold = {};
  std::optional<HoldKind> hold_kind = {};
  std::string database_trouble = {};  ///< The last error of the database, until a round succeeds.
  std::vector<std::string> warnings = {};  ///< What may cost events; see `Notice::Kind::warning`.
  Histogram request_duration{request_duration_bounds};
  /// How old events were when their delivery was recorded, since they were enqueued or due.
  Histogram delivery_lag{delivery_lag_bounds};
};

/// Delivers a destination's events on a thread of its own, with a connection of its own, until it
/// is stopped or destroyed. Of several dispatchers of a destination, in one process or many, one
/// delivers and the others stand by.
///
/// Lifetime: may outlive the app's connections, and the other way round. May be a static object.
///
/// After a fork the child has no dispatcher: `stop` and `stats` throw `forked_process` there, and
/// so do making another one and `deliver_once`; `notify` does nothing, and its destructor leaves
/// everything behind. The parent goes on, and its lock ends with it, not with the child. The child
/// must exec before it uses SQLite: see `forked_process`.
class OUTBOX_API Dispatcher {
 public:
  /// Starts the thread. Trouble of the endpoint or a busy database is no error: the dispatcher
  /// waits.
  ///
  /// Throws: `std::invalid_argument` for a memory database, `locking_mode=exclusive` or options out
  /// of range; `schema_error` when the database is not migrated or newer; `database_error` when it
  /// is not there, may not be written, lies on a network file system, or cannot be opened
  /// otherwise; `std::runtime_error` when SQLite was built or configured for a single thread, and
  /// when `refuses_unsafe_sqlite` refuses; `forked_process` in a child that was forked while the
  /// parent had a dispatcher or was in `deliver_once`; `std::system_error` when there can be no
  /// thread; what `after_open` throws, as it is.
  Dispatcher(DatabaseFile database, Endpoint endpoint, DispatcherOptions options = {});
  /// As `stop()`. On the dispatcher's own thread it does not wait: that thread ends by itself.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Look now. Without it a commit is seen by the writing of the WAL (on Linux, within
  /// milliseconds), and at the latest by a poll: every 20 ms with recent traffic, else every 250
  /// ms. Call it after a commit. Threads: any; never blocks.
  void notify() noexcept;

  /// Waits until nothing that was committed before the call is due any more: it is delivered, or
  /// dead, or waits for a time, a person or a next try of its own. For tests, and for tools that
  /// end. False after `time_max`, and when the dispatcher is stopped meanwhile; also while a person
  /// has paused the destination. Where another dispatcher delivers, waits for that one.
  ///
  /// Throws: `std::logic_error` on the dispatcher's own thread; `forked_process`. Threads: any
  /// other, several at once.
  bool wait_until_idle(std::chrono::milliseconds time_max);

  /// Takes no more events, waits up to `time_max` for requests under way, aborts the rest (they
  /// stay pending and are sent again), records, and joins the thread. Further calls do nothing.
  /// Returns true when no request had to be aborted. A callback of the host's that is at work
  /// (credential, observer) is waited for, however long it takes.
  ///
  /// Throws: `std::logic_error` on the dispatcher's own thread (in the observer or in a
  /// credential's callback), where it would wait for itself; `forked_process`. Threads: any other.
  bool stop(std::chrono::milliseconds time_max = std::chrono::seconds{1});

  /// Throws: `forked_process`. Threads: any.
  [[nodiscard]] Stats stats() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// What one call of `deliver_once` did.
struct DeliverReport {
  std::uint64_t delivered = 0;
  std::uint64_t dead = 0;
  std::uint64_t requests = 0;
  /// Events that are due and not delivered, and those that were refused alone and wait for their
  /// next try: 0 when all is done. Without those that wait behind one of them in its key.
  std::uint64_t remaining = 0;
  bool is_paused = false;        ///< The destination is paused: nothing was sent.
  bool is_unauthorized = false;  ///< The endpoint refused the credentials.
  /// A dispatcher is at work: then nothing was sent by this call. Or one may be, since the lock
  /// file was removed meanwhile: then this call has done a part, and ended.
  bool is_served_elsewhere = false;
  std::string hold = {};  ///< As `Stats::hold`.
  std::optional<HoldKind> hold_kind = {};
};

/// Delivers what is due, on the caller's thread, and returns when nothing is due any more or after
/// `time_max`, or at once when the credentials are refused. Starts with a single event when the
/// destination is on hold, however long the hold still lasts.
///
/// Requires: no transaction open on `connection`, and no statement under way. Works on memory
/// databases. Throws: as the constructor of `Dispatcher`, but for what that says of the file when
/// it is given a connection, and for a SQLite without threads; `std::runtime_error` when the lock
/// file cannot be used; `std::logic_error` otherwise; `database_error` when the database fails on
/// the way (what was delivered and could not be recorded is sent again). Threads: the caller's,
/// which must own `connection`.
OUTBOX_API DeliverReport deliver_once(ConnectionRef connection, const Endpoint& endpoint,
                                      const DispatcherOptions& options = {},
                                      std::chrono::milliseconds time_max = std::chrono::seconds{
                                          30});

/// The same on a connection of its own.
OUTBOX_API DeliverReport deliver_once(const DatabaseFile& database, const Endpoint& endpoint,
                                      const DispatcherOptions& options = {},
                                      std::chrono::milliseconds time_max = std::chrono::seconds{
                                          30});

}  // namespace v1
}  // namespace outbox

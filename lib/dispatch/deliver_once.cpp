#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <random>
#include <stdexcept>

#include "dispatch/deadline.hpp"
#include "dispatch/lock.hpp"
#include "dispatch/notices.hpp"
#include "dispatch/options.hpp"
#include "dispatch/retention.hpp"
#include "dispatch/round.hpp"
#include "outbox/dispatcher.hpp"
#include "sinks/sigpipe.hpp"
#include "storage/life/store.hpp"
#include "storage/sqlite/database.hpp"

namespace outbox {

namespace dispatch {

namespace {

using std::chrono::milliseconds;
// A round looks at the lock and at the database before it, so none may wait for an answer for long.
constexpr milliseconds round_max{1'000};

void add(DeliverReport& sum, const RoundReport& round) {
  sum.delivered += round.delivered;
  sum.dead += round.dead;
  sum.requests += round.requests;
  sum.is_paused = round.is_paused;
  // Once is not enough: the credential is read again then, and may have been renewed.
  sum.is_unauthorized =
      round.failure == Verdict::unauthorized && round.hold && round.hold->tries > 1;
  sum.hold_kind = round.hold ? std::optional{round.hold->kind} : std::nullopt;
  sum.hold = round.hold ? without_quotation(round.hold->reason) : std::string{};
}

std::uint64_t remaining_count(storage::Store& store, const core::Clock& clock) {
  return static_cast<std::uint64_t>(store.queue.remaining_count(clock.now()));
}

void serve(storage::Store& store, const storage::ServeOptions& serving, const core::Clock& clock,
           const DispatcherOptions& options) {
  if (store.serve(serving, clock.now())) return;
  tell(options.observer, {.kind = Notice::Kind::warning,
                          .destination = options.destination,
                          .text = copy_text(options)});
}

// Rounds until nothing is due, nothing can be done about it, or time is up.
DeliverReport run_rounds(storage::Store& store, Sink& sink, const core::Clock& clock,
                         const DispatcherOptions& options, const storage::ServeOptions& serving,
                         SteadyClock::time_point deadline, std::optional<Lock>& lock) {
  Round round{sink, options, std::random_device{}()};
  round.probe_now();  // a person asks: however long a hold still lasts
  DeliverReport report;
  int idle_rounds = 0;
  for (;;) {
    // The file may have been removed, and another one elected.
    if (lock && !lock->keep(round.in_flight_since())) {
      report.is_served_elsewhere = true;
      break;
    }
    const RoundReport last = round.run(store, std::min(left_until(deadline), round_max));
    add(report, last);
    const bool is_over = left_until(deadline) == milliseconds{0};
    if (report.is_paused || report.is_unauthorized || is_over) break;
    if (!last.has_row) {  // a backup was written over the file
      serve(store, serving, clock, options);
      continue;
    }
    const bool is_idle = !round.has_in_flight() && !last.has_more && last.requests == 0;
    idle_rounds = is_idle ? idle_rounds + 1 : 0;
    if (!is_idle) continue;
    if (!store.queue.has_due(clock.now())) break;
    const auto resume_at = last.hold ? std::optional{last.hold->until} : last.resume_at;
    if (options.clock && resume_at) break;  // only the host can move it
    if (resume_at) {
      const auto wait = std::max(*resume_at - clock.now(), milliseconds{1});
      round.wait(std::min({wait, left_until(deadline), round_max}));
    } else if (idle_rounds > 1) {
      break;  // what is left waits behind an earlier event of its ordering key
    }
  }
  round.abort();
  report.remaining = remaining_count(store, clock);
  return report;
}

DeliverReport deliver(sqlite3* db, const Endpoint& endpoint, const DispatcherOptions& options,
                      milliseconds time_max) {
  require_options(options);
  if (options.refuses_unsafe_sqlite) storage::require_safe_sqlite();
  if (sqlite3_get_autocommit(db) == 0) {
    throw std::logic_error{"outbox: deliver_once inside a transaction: commit first"};
  }
  // It could be seen only after the request that nothing can be recorded.
  if (sqlite3_txn_state(db, nullptr) != SQLITE_TXN_NONE) {
    throw std::logic_error{
        "outbox: deliver_once: a statement of this connection is under way: reset it first"};
  }
  storage::require_writable(db);
  const auto deadline = deadline_in(time_max);
  const core::Clock clock{options.clock};
  storage::Store store{db, options.destination};
  const std::string path = storage::path_of(db);
  std::optional<Lock> lock;
  if (!path.empty()) {  // a memory database has no other dispatcher
    lock.emplace(path, options.destination);
    if (!lock->try_acquire(clock.now())) {
      return {.remaining = remaining_count(store, clock), .is_served_elsewhere = true};
    }
  }
  const sinks::HeldSigpipe held;
  const storage::SecureDeletion secure{db};
  const auto serving = serve_options_of(endpoint.sink(), options, storage::identity_of(path));
  serve(store, serving, clock, options);
  const DeliverReport report =
      run_rounds(store, endpoint.sink(), clock, options, serving, deadline, lock);
  Retention{options}.run_until(store, clock.now(), deadline);
  return report;
}

}  // namespace
}  // namespace dispatch

inline namespace v1 {

DeliverReport deliver_once(ConnectionRef connection, const Endpoint& endpoint,
                           const DispatcherOptions& options, std::chrono::milliseconds time_max) {
  const dispatch::SqliteUser user;
  return dispatch::deliver(connection.handle(), endpoint, options, time_max);
}

DeliverReport deliver_once(const DatabaseFile& database, const Endpoint& endpoint,
                           const DispatcherOptions& options, std::chrono::milliseconds time_max) {
  const dispatch::SqliteUser user;
  const auto own = storage::open_database(storage::with_absolute_path(database));
  return dispatch::deliver(storage::handle_of(own), endpoint, options, time_max);
}

}  // namespace v1
}  // namespace outbox

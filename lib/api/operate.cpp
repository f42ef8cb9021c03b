// The functions of outbox/operate.hpp that ask the lock about dispatchers and requests under way.
// The others are in storage/people.

#include "outbox/operate.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "core/clock.hpp"
#include "core/event/enqueue_options.hpp"
#include "dispatch/deadline.hpp"
#include "dispatch/lock.hpp"
#include "storage/people/erase.hpp"
#include "storage/people/move.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace dispatch {

namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr milliseconds between_looks{5};

// Looks at a dispatcher again and again. What it has written down lies in the future when the clock
// was set back since: then it is older than it seems.
class Watcher {
 public:
  explicit Watcher(system_clock::time_point instant) : instant_{instant} {}

  /// True: a round has begun since the instant, with nothing under way that was sent before.
  bool is_past(const ActiveDispatcher& dispatcher) {
    const system_clock::time_point now = core::system_now();
    const auto& since = dispatcher.in_flight_since;
    if (since && *since > now) ahead_ = std::min(ahead_, *since);
    const bool has_begun = dispatcher.last_round > instant_ && dispatcher.last_round <= now;
    return has_begun && (!since || (*since > instant_ && *since < ahead_));
  }

 private:
  system_clock::time_point instant_;
  system_clock::time_point ahead_ = system_clock::time_point::max();
};

// Waits until no request of `destination` that was under way at `instant` can be any more. Returns
// who may still have one.
std::optional<ActiveDispatcher> wait_for_requests_of(const std::string& path,
                                                     const std::string& destination,
                                                     system_clock::time_point instant,
                                                     SteadyClock::time_point deadline) {
  Watcher watcher{instant};
  for (;;) {
    const std::optional<ActiveDispatcher> found = known_dispatcher(path, destination);
    if (!found || watcher.is_past(*found)) return std::nullopt;
    if (left_until(deadline) == milliseconds{0}) return found;
    std::this_thread::sleep_for(between_looks);
  }
}

// Every destination counts: also an event that was dead, discarded or erased may be under way.
std::optional<ActiveDispatcher> wait_for_requests(sqlite3* db, system_clock::time_point instant,
                                                  SteadyClock::time_point deadline) {
  const std::string path = storage::path_of(db);
  for (const DestinationStatus& destination : list_destinations(db)) {
    const auto found = wait_for_requests_of(path, destination.name, instant, deadline);
    if (found) return found;
  }
  return std::nullopt;
}

// Throws: `std::runtime_error` when it cannot be said of a destination what is under way.
void require_known_dispatchers(sqlite3* db) {
  const std::string path = storage::path_of(db);
  for (const DestinationStatus& destination : list_destinations(db)) {
    known_dispatcher(path, destination.name);
  }
}

constexpr milliseconds rest_comes_within{2'000};

// Since when the dispatcher of `from` rests; none: there is none. A request under way would deliver
// to the one destination what is moved to the other. Throws: `std::invalid_argument` when it does
// not rest.
std::optional<core::Instant> require_rest(ConnectionRef connection, const std::string& path,
                                          const std::string& from) {
  const std::optional<ActiveDispatcher> dispatcher = known_dispatcher(path, from);
  if (!dispatcher) return std::nullopt;
  const Status now = status(connection, from);
  const bool is_paused = !now.destinations.empty() && now.destinations.front().paused;
  if (!is_paused) {
    throw std::invalid_argument{"outbox: move: pid " + std::to_string(dispatcher->pid) + " has " +
                                from + ": pause it first, or wait until that process ends"};
  }
  // The pause has committed: a round that begins from now on has seen it.
  if (wait_for_requests_of(path, from, core::system_now(), deadline_in(rest_comes_within))) {
    throw std::invalid_argument{"outbox: move: " + from +
                                " still has requests under way: try again"};
  }
  return std::chrono::floor<milliseconds>(now.destinations.front().paused->since);
}

bool truncate_wal(sqlite3* db, SteadyClock::time_point deadline) {
  while (!storage::truncate_wal(db)) {
    if (left_until(deadline) == milliseconds{0}) return false;
    std::this_thread::sleep_for(between_looks * 4);
  }
  return true;
}

}  // namespace
}  // namespace dispatch

inline namespace v1 {

MoveReport move_events(ConnectionRef connection, const std::string& from, const std::string& to,
                       const ChangeNote& note, Mode mode, const Progress& progress) {
  sqlite3* const db = connection.handle();
  core::require_destination_name(from);
  core::require_destination_name(to);
  if (from == to) throw std::invalid_argument{"outbox: move: to another destination than " + from};
  if (sqlite3_get_autocommit(db) == 0) {
    throw std::logic_error{"outbox: move: a transaction is open on this connection"};
  }
  const std::string path = storage::path_of(db);
  dispatch::Lock lock{path, from};  // nobody begins to deliver while it is held
  const bool is_for_real = mode == Mode::apply && !path.empty();
  const bool is_held = is_for_real && lock.try_acquire(core::system_now());
  const auto rests_since = is_held ? std::nullopt : dispatch::require_rest(connection, path, from);
  if (is_for_real && !is_held && !rests_since) {
    throw std::runtime_error{"outbox: move: somebody has just had the lock of " + from +
                             ": try again"};
  }
  const auto keep_and_tell = [&](std::int64_t events) {
    if (is_held && !lock.keep({})) {
      throw std::runtime_error{"outbox: move: somebody has removed the lock file of " + from +
                               ", and not all may be moved: move again"};
    }
    if (progress) progress(events);
  };
  return storage::move_events(db, from, to, note, mode, keep_and_tell, rests_since);
}

EraseReport erase(const DatabaseFile& database, const Subject& subject, const ChangeNote& note,
                  Mode mode, std::chrono::milliseconds time_max) {
  const auto own = storage::open_database(storage::with_absolute_path(database));
  sqlite3* const db = storage::handle_of(own);
  storage::FoundEvents found = storage::find_events(db, subject);
  EraseReport report{.events = static_cast<std::int64_t>(found.ids.size())};
  if (mode == Mode::dry_run) {
    for (std::size_t i = 0; i < found.ids.size(); ++i) {
      report.found.push_back({found.ids[i], std::move(found.places[i])});
    }
    return report;
  }
  dispatch::require_known_dispatchers(db);  // before anything is changed
  storage::Erasure erasure{db, subject, note, std::move(found)};
  report.events = erasure.remove_events();
  // The answer to a request under way may quote the subject, so answers are forgotten after it.
  report.may_still_be_sent_by =
      dispatch::wait_for_requests(db, core::system_now(), dispatch::deadline_in(time_max));
  erasure.forget_answers(!report.may_still_be_sent_by);
  report.went_on = erasure.goes_on();
  const auto truncate = [&] {
    report.is_wal_truncated = dispatch::truncate_wal(db, dispatch::deadline_in(time_max));
    return report.is_wal_truncated;
  };
  // Beside a reader the WAL would grow by all that is rewritten, each time that it is tried again.
  if (!truncate()) return report;
  erasure.rewrite_pages();
  truncate();
  if (report.may_still_be_sent_by || !report.is_wal_truncated) return report;
  erasure.finish();
  storage::truncate_wal(db);  // of the page with the work list, which holds ids only
  return report;
}

}  // namespace v1
}  // namespace outbox

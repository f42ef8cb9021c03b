// The public functions of outbox/operate.hpp that need a connection of the library's own, and look
// at who is at work.

#include <chrono>
#include <thread>

#include "core/clock.hpp"
#include "dispatch/deadline.hpp"
#include "dispatch/lock.hpp"
#include "outbox/operate.hpp"
#include "storage/database.hpp"
#include "storage/erase.hpp"
#include "storage/prune.hpp"

namespace outbox {

namespace dispatch {

namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr milliseconds between_looks{5};

// True: a round of the dispatcher that is at work has begun since `instant`, with nothing under way
// that was sent before.
bool is_past(const Serving& serving, system_clock::time_point instant) {
  return serving.last_round > instant &&
         (!serving.in_flight_since || *serving.in_flight_since > instant);
}

// Waits until no request that was under way at `instant` can be any more. Returns who may still
// have one. Every destination counts: also an event that was dead, discarded or erased may be under
// way.
std::optional<Serving> wait_for_requests(sqlite3* db, system_clock::time_point instant,
                                         SteadyClock::time_point deadline) {
  const std::string path = storage::path_of(db);
  for (const DestinationStatus& destination : status(db).destinations) {
    for (;;) {
      const std::optional<Serving> found = serving(path, destination.name);
      if (!found || is_past(*found, instant)) break;
      if (left_until(deadline) == milliseconds{0}) return found;
      std::this_thread::sleep_for(between_looks);
    }
  }
  return std::nullopt;
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

inline namespace v0 {

std::int64_t prune(const DatabaseFile& database, const PruneOptions& options,
                   const ChangeNote& note, Run run) {
  const auto own = storage::open_database(storage::with_absolute_path(database));
  return storage::prune(
      storage::handle_of(own), options, note, run,
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()));
}

EraseReport erase(const DatabaseFile& database, const Subject& subject, const ChangeNote& note,
                  Run run, std::chrono::milliseconds patience) {
  const auto own = storage::open_database(storage::with_absolute_path(database));
  sqlite3* const db = storage::handle_of(own);
  storage::FoundEvents found = storage::find_events(db, subject);
  EraseReport report{.events = static_cast<std::int64_t>(found.ids.size())};
  if (run == Run::dry) return report;
  storage::Erasure erasure{db, subject, note, std::move(found)};
  report.events = erasure.remove_events();
  // What a request under way is answered may quote the subject, so that is forgotten after it.
  report.may_still_be_sent_by = dispatch::wait_for_requests(db, std::chrono::system_clock::now(),
                                                            dispatch::deadline_in(patience));
  erasure.forget_answers();
  erasure.rewrite_pages();
  if (!report.may_still_be_sent_by) erasure.finish();
  report.is_wal_truncated = dispatch::truncate_wal(db, dispatch::deadline_in(patience));
  return report;
}

}  // namespace v0
}  // namespace outbox

// prune: old events leave the log because a person asks for it; dispatchers do so by themselves.

#include <stdexcept>

#include "core/clock.hpp"
#include "core/event/enqueue_options.hpp"
#include "outbox/operate.hpp"
#include "storage/life/retention.hpp"
#include "storage/people/change.hpp"
#include "storage/people/filter.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr auto prune_action = "prune";

// Where something was delivered there is a row; what was discarded may be of one that nobody
// served.
std::vector<std::string> destinations(sqlite3* db, const std::string& wanted) {
  if (!wanted.empty()) return {wanted};
  Statement rows{db,
                 "select name from main.outbox_destinations union select name from (" +
                     std::string{queued_destinations} + ") order by name",
                 prune_action};
  std::vector<std::string> names;
  while (rows.step()) names.push_back(rows.text(0));
  return names;
}

// Returns what a dry run finds.
std::int64_t prune_delivered(sqlite3* db, BulkChange& bulk, const std::string& destination,
                             core::Instant before, core::Instant now, Mode mode) {
  OldRequests old{db, destination};
  if (mode == Mode::dry_run) return old.count(before, now);
  while (!old.is_through()) {
    const core::Ids requests = while_busy([&] { return old.find(before, now); });
    bulk.run([&] {  // the retention moves the counters itself
      return Tally{{destination, {.events = old.remove(requests)}}};
    });
  }
  return 0;
}

core::Ids old_discarded(sqlite3* db, const std::string& destination, core::Instant before) {
  Statement rows{db,
                 "select event from main.outbox_queue where destination = ?1 and state = 5"
                 " and due_at_ms = 0 and settled_at_ms < ?2 order by event",
                 prune_action};
  rows.bind(1, std::string_view{destination}).bind(2, core::unix_ms(before));
  core::Ids ids;
  while (rows.step()) ids.push_back(rows.integer(0));
  return ids;
}

std::int64_t prune_discarded(sqlite3* db, BulkChange& bulk, const std::string& destination,
                             core::Instant before, Mode mode) {
  return bulk.run_whole(old_discarded(db, destination, before), mode, [&](const core::Ids& chunk) {
    std::vector<EventRow> rows = read_rows(db, Chosen{chunk});
    std::erase_if(rows, [](const EventRow& row) {
      return !row.queued || row.queued->state != core::QueueState::discarded;
    });
    return remove_rows(db, rows);
  });
}

}  // namespace
}  // namespace storage

inline namespace v1 {

std::int64_t prune(const DatabaseFile& database, const PruneOptions& options,
                   const ChangeNote& note, Mode mode, const Progress& progress) {
  using namespace storage;
  const OpenDatabase own = open_database(with_absolute_path(database));
  sqlite3* const db = handle_of(own);
  const core::Instant now = core::system_now();
  if (!options.destination.empty()) core::require_destination_name(options.destination);
  if (options.older_than < std::chrono::milliseconds{0}) {
    throw std::invalid_argument{"outbox: prune: older_than must not be negative"};
  }
  BulkChange bulk{db,
                  {.action = prune_action,
                   .destination = options.destination,
                   .subject = "settled " + std::to_string(options.older_than.count()) + " ms ago" +
                              (options.includes_discarded ? ", discarded too" : ""),
                   .note = note},
                  Probe::none,
                  progress};
  const core::Instant before = now - options.older_than;
  std::int64_t found = 0;
  for (const std::string& destination : destinations(db, options.destination)) {
    found += prune_delivered(db, bulk, destination, before, now, mode);
    if (options.includes_discarded) found += prune_discarded(db, bulk, destination, before, mode);
  }
  return mode == Mode::dry_run ? found : bulk.total();
}

}  // namespace v1
}  // namespace outbox

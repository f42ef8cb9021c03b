#include "storage/prune.hpp"

#include <vector>

#include "core/names.hpp"
#include "storage/filter.hpp"
#include "storage/store.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "prune";
// Rows that one look passes, so that it takes no longer than some milliseconds.
constexpr std::int64_t looks_max = 2'000;
// Ids are commit order, but clocks jump: so many young events in a row mean that the rest is young.
constexpr std::int64_t young_max = 1'000;

std::vector<std::string> destinations(sqlite3* db, const std::string& wanted) {
  if (!wanted.empty()) return {wanted};
  Statement rows{db, "select name from main.outbox_destinations order by name", action};
  std::vector<std::string> names;
  while (rows.step()) names.push_back(rows.text(0));
  return names;
}

AuditNote audit_of(const PruneOptions& options, const ChangeNote& note) {
  return {.action = action,
          .destination = options.destination,
          .subject = "settled " + std::to_string(options.older_than.count()) + " ms ago" +
                     (options.with_discarded ? ", discarded too" : ""),
          .note = note};
}

class Pruning {
 public:
  Pruning(sqlite3* db, const PruneOptions& options, const ChangeNote& note, Run run,
          core::Instant now)
      : db_{db},
        run_{run},
        before_{now - options.older_than},
        now_{now},
        delivered_{db, audit_of(options, note)},
        discarded_{db, audit_of(options, note)} {
    delivered_.also(count_removed_delivered);
    discarded_.also(count_removed);
  }

  std::int64_t delivered(const std::string& destination) {
    OldEvents old{db_, destination};
    std::int64_t total = 0;
    while (!old.is_through()) total += remove(delivered_, old.next(before_, now_), "state = 1");
    return total;
  }

  std::int64_t discarded(const std::string& destination) {
    std::int64_t total = 0;
    for (std::int64_t after = std::numeric_limits<std::int64_t>::min();;) {
      const core::Ids ids = old_discarded(destination, after);
      if (ids.empty()) return total;
      after = ids.back();
      total += remove(discarded_, ids, "state = 3");
    }
  }

 private:
  core::Ids old_discarded(const std::string& destination, std::int64_t after) const {
    Statement rows{db_,
                   "select id from main.outbox_events where destination = ?1 and state = 3"
                   " and id > ?2 and settled_at_ms < ?3 order by id limit ?4",
                   action};
    rows.bind(1, std::string_view{destination})
        .bind(2, after)
        .bind(3, core::unix_ms(before_))
        .bind(4, static_cast<std::int64_t>(chunk_events));
    core::Ids ids;
    while (rows.step()) ids.push_back(rows.integer(0));
    return ids;
  }

  std::int64_t remove(BulkChange& bulk, const core::Ids& ids, const char* guard) {
    if (run_ == Run::dry) return static_cast<std::int64_t>(ids.size());
    if (ids.empty()) return 0;
    return bulk.run([&] { return remove_events(db_, ids, guard); });
  }

  sqlite3* db_;
  Run run_;
  core::Instant before_;
  core::Instant now_;
  BulkChange delivered_;
  BulkChange discarded_;
};

}  // namespace

OldEvents::OldEvents(sqlite3* db, std::string destination)
    : destination_{std::move(destination)},
      rows_{db,
            "select id, state, destination, enqueued_at_ms, settled_at_ms from main.outbox_events"
            " where id > ?1 order by id limit ?2",
            action, Use::often} {}

core::Ids OldEvents::next(core::Instant settled_before, core::Instant now) {
  const ResetAtEnd end{rows_};
  rows_.bind(1, at_.after).bind(2, looks_max);
  const std::int64_t before_ms = core::unix_ms(settled_before);
  core::Ids ids;
  std::int64_t looks = 0;
  while (ids.size() < chunk_events && rows_.step()) {
    ++looks;
    at_.after = rows_.integer(0);
    const std::int64_t enqueued_at_ms = rows_.integer(3);
    const bool is_of_wrong_clock = enqueued_at_ms > core::unix_ms(now);
    if (!is_of_wrong_clock) at_.young = enqueued_at_ms < before_ms ? 0 : at_.young + 1;
    const bool is_old = rows_.integer(1) == 1 && rows_.integer(4) < before_ms;
    if (is_old && rows_.text(2) == destination_) ids.push_back(at_.after);
  }
  is_through_ = at_.young >= young_max || (looks < looks_max && ids.size() < chunk_events);
  return ids;
}

Tally remove_events(sqlite3* db, const core::Ids& ids, const char* guard) {
  Statement remove{db,
                   (std::string{"delete from main.outbox_events where id = ?1 and "} + guard +
                    " returning destination")
                       .c_str(),
                   action};
  Tally removed;
  for (const std::int64_t id : ids) {
    if (remove.bind(1, id).step()) ++removed[remove.text(0)];
    remove.run();
  }
  return removed;
}

std::int64_t prune(sqlite3* db, const PruneOptions& options, const ChangeNote& note, Run run,
                   core::Instant now) {
  if (!options.destination.empty()) core::require_destination_name(options.destination);
  if (options.older_than < std::chrono::milliseconds{0}) {
    throw std::invalid_argument{"outbox: prune: older_than must not be negative"};
  }
  Pruning pruning{db, options, note, run, now};
  std::int64_t total = 0;
  for (const std::string& destination : destinations(db, options.destination)) {
    total += pruning.delivered(destination);
    if (options.with_discarded) total += pruning.discarded(destination);
  }
  return total;
}

}  // namespace outbox::storage

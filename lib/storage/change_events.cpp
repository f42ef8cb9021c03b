// retry, discard, requeue: the states of many events, changed by people.

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "core/doubt.hpp"
#include "core/limits.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "outbox/operate.hpp"
#include "storage/change.hpp"
#include "storage/change_kinds.hpp"
#include "storage/filter.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

// A destination or a limit alone chooses nothing.
bool is_empty(const EventFilter& filter) {
  return filter.state.empty() && filter.event_name.empty() && filter.user_id.empty() &&
         filter.group_id.empty() && filter.error.empty() && !filter.since && !filter.until;
}

// Runs one change over what was selected.
class Changer {
 public:
  Changer(sqlite3* db, const Change& change, const Selection& selection, const ChangeNote& note,
          Run run)
      : db_{db},
        change_{change},
        selection_{selection},
        run_{run},
        reason_{core::sanitised("discarded: " + note.reason, core::error_bytes_max)},
        bulk_{db,
              {.action = change.action,
               .destination = selection.filter.destination,
               .subject = subject_of(selection),
               .note = note}},
        left_{selection.filter.limit} {
    if (change.counters != nullptr) bulk_.also(change.counters);
  }

  std::int64_t run() {
    const std::int64_t total = selection_.ids.empty() ? run_filter() : run_ids();
    // Once, and not for each chunk: each look at what waits costs the dispatcher time.
    if (run_ == Run::real) bulk_.end(change_.at_end);
    return total;
  }

 private:
  std::int64_t run_filter() {
    std::int64_t total = 0;
    for (const Part& part : parts_of(change_, selection_.filter)) {
      for (const std::string& destination : destinations(part)) {
        total += run_part(part, destination);
      }
    }
    return total;
  }

  std::int64_t run_ids() {
    const std::string& destination = selection_.filter.destination;  // a name: no quotes in it
    const std::string guard =
        change_.guard_of_ids +
        (destination.empty() ? "" : " and destination = '" + destination + "'");
    std::int64_t total = 0;
    for_each_chunk(distinct(selection_.ids),
                   [&](const core::Ids& chunk) { total += apply(chunk, guard); });
    return total;
  }

  // A destination each, because that is how the partial indexes are ordered.
  std::vector<std::string> destinations(const Part& part) const {
    if (!selection_.filter.destination.empty()) return {selection_.filter.destination};
    const Condition condition{part.name, now_};
    Statement rows{db_,
                   ("select distinct destination from main.outbox_events" + condition.where() +
                    " order by destination")
                       .c_str(),
                   change_.action};
    condition.bind(rows);
    std::vector<std::string> names;
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  }

  std::int64_t run_part(const Part& part, const std::string& destination) {
    std::int64_t total = 0;
    std::int64_t after = std::numeric_limits<std::int64_t>::min();
    for (;;) {
      const core::Ids ids = next(part, destination, after);
      if (ids.empty()) return total;
      after = ids.back();
      const std::int64_t changed = apply(ids, part.guard);
      total += changed;
      if (left_) *left_ -= std::min(*left_, static_cast<std::size_t>(changed));
    }
  }

  core::Ids next(const Part& part, const std::string& destination, std::int64_t after) const {
    EventFilter filter = selection_.filter;
    filter.destination.clear();
    Condition condition{part.name, now_};
    condition.add(filter, change_.instant);
    // The plus keeps SQLite from an index that is ordered by due time, where it would sort.
    condition.add(part.has_index_by_id ? "destination = " : "+destination = ", destination);
    condition.add("id > ", after);
    const std::size_t limit = std::min(chunk_events, left_.value_or(chunk_events));
    Statement rows{db_,
                   ("select id from main.outbox_events" + condition.where() +
                    " order by id limit " + std::to_string(limit))
                       .c_str(),
                   change_.action};
    condition.bind(rows);
    core::Ids ids;
    while (rows.step()) ids.push_back(rows.integer(0));
    return ids;
  }

  std::int64_t apply(const core::Ids& ids, const std::string& guard) {
    if (run_ == Run::dry) return count(ids, guard);
    return bulk_.run([&] {
      Tally tally;
      Statement update{
          db_, (std::string{change_.update} + " and " + guard + " returning destination").c_str(),
          change_.action};
      for (const std::int64_t id : ids) {
        update.bind(1, id).bind(2, core::unix_ms(now_));
        if (change_.keeps_reason) update.bind(3, std::string_view{reason_});
        if (update.step()) ++tally[update.text(0)];
        update.run();
      }
      return tally;
    });
  }

  std::int64_t count(const core::Ids& ids, const std::string& guard) const {
    Statement one{
        db_, ("select 1 from main.outbox_events where id = ?1 and ?2 > 0 and " + guard).c_str(),
        change_.action};
    std::int64_t found = 0;
    for (const std::int64_t id : ids) {
      const ResetAtEnd end{one};
      if (one.bind(1, id).bind(2, core::unix_ms(now_)).step()) ++found;
    }
    return found;
  }

  sqlite3* db_;
  const Change& change_;
  const Selection& selection_;
  Run run_;
  std::string reason_;
  BulkChange bulk_;
  std::optional<std::size_t> left_;
  const core::Instant now_ =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
};

std::int64_t change_events(sqlite3* db, const Change& change, const Selection& selection,
                           const ChangeNote& note, Run run) {
  const std::string& destination = selection.filter.destination;
  if (!destination.empty()) core::require_destination_name(destination);
  if (selection.ids.empty() && is_empty(selection.filter) && !selection.all) {
    throw std::invalid_argument{"outbox: " + std::string{change.action} +
                                ": give ids, a filter, or all"};
  }
  const bool is_narrowed = !is_empty(selection.filter) || selection.filter.limit || selection.all;
  if (!selection.ids.empty() && is_narrowed) {
    throw std::invalid_argument{"outbox: " + std::string{change.action} +
                                ": ids and a filter: give one of them"};
  }
  Changer changer{db, change, selection, note, run};
  if (sqlite3_get_autocommit(db) != 0 || run == Run::dry) return changer.run();
  Savepoint all{db, change.action};  // all or nothing of it, in the caller's transaction
  const std::int64_t changed = changer.run();
  all.release();
  return changed;
}

}  // namespace
}  // namespace storage

inline namespace v0 {

std::int64_t retry(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                   Run run) {
  return storage::change_events(connection.handle(), storage::retrying_change(), selection, note,
                                run);
}

std::int64_t discard(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                     Run run) {
  if (note.reason.empty()) throw std::invalid_argument{"outbox: discard: a reason is required"};
  return storage::change_events(connection.handle(), storage::discarding_change(), selection, note,
                                run);
}

std::int64_t requeue(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                     Run run) {
  return storage::change_events(connection.handle(), storage::requeuing_change(), selection, note,
                                run);
}

}  // namespace v0
}  // namespace outbox

// retry, discard, requeue: the states of many events, changed by people.

#include <algorithm>
#include <stdexcept>

#include "core/doubt.hpp"
#include "core/limits.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "outbox/operate.hpp"
#include "storage/change.hpp"
#include "storage/filter.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

// Events in one state to which a change applies.
struct Part {
  StateName name;
  const char* guard;  // in SQL, of the row at the moment of the change; ?2 is now
};

constexpr Part pending{StateName::pending, "state = 0"};
constexpr Part scheduled{StateName::scheduled, "state = 0 and due_at_ms > ?2"};
constexpr Part retrying{StateName::retrying, "state = 0 and attempts > 0"};
constexpr Part delivered{StateName::delivered, "state = 1 and payload <> '{}'"};
constexpr Part dead{StateName::dead, "state = 2"};
constexpr Part discarded{StateName::discarded, "state = 3"};

struct Change {
  const char* action;
  const char* update;          // of one event, ?1; ?2 is now
  const char* guard_of_ids;    // when the events are named one by one
  const char* counters;        // of the destination, ?1, for ?2 events
  bool keeps_reason;           // as ?3
  const char* instant;         // what since and until are about
  std::vector<Part> usual;     // without a state in the filter
  std::vector<Part> possible;  // with one
};

constexpr auto make_pending =
    "update main.outbox_events set state = 0, due_at_ms = ?2, attempts = 0, lonely_failures = 0,"
    " suspect_batch = null, settled_at_ms = null, last_error = null where id = ?1";
constexpr auto only_nudge =
    "update main.outbox_destinations set nudges = nudges + 1 where name = ?1 and ?2 > 0";

Change retrying_change() {
  return {.action = "retry",
          .update = make_pending,
          .guard_of_ids =
              "(state > 1 or (state = 0 and (attempts > 0 or due_at_ms > ?2"
              " or suspect_batch is not null)))",
          .counters = only_nudge,
          .keeps_reason = false,
          .instant = "enqueued_at_ms",
          .usual = {dead, retrying},
          .possible = {dead, retrying, scheduled, discarded}};
}

Change discarding_change() {
  return {.action = "discard",
          .update =
              "update main.outbox_events set state = 3, settled_at_ms = ?2,"
              " suspect_batch = null, last_error = ?3 where id = ?1",
          .guard_of_ids = "(state = 0 or state = 2)",
          .counters = only_nudge,
          .keeps_reason = true,
          .instant = "enqueued_at_ms",
          .usual = {pending, dead},
          .possible = {pending, scheduled, retrying, dead}};
}

Change requeuing_change() {
  return {.action = "requeue",
          .update = make_pending,
          .guard_of_ids = delivered.guard,
          .counters =
              "update main.outbox_destinations set delivered = delivered - ?2,"
              " nudges = nudges + 1 where name = ?1",
          .keeps_reason = false,
          .instant = "settled_at_ms",
          .usual = {delivered},
          .possible = {delivered}};
}

std::vector<Part> parts_of(const Change& change, const EventFilter& filter) {
  if (filter.state.empty()) return change.usual;
  const StateName wanted = state_named(filter.state);
  std::vector<Part> parts;
  for (const Part& part : change.possible) {
    if (part.name == wanted) return {part};
    const bool is_pending_too =
        part.name == StateName::scheduled || part.name == StateName::retrying;
    if (wanted == StateName::pending && is_pending_too) parts.push_back(part);
  }
  if (!parts.empty()) return parts;
  const bool is_delivered = wanted == StateName::delivered;
  throw std::invalid_argument{"outbox: " + std::string{change.action} + ": not for " +
                              filter.state + " events" +
                              (is_delivered ? "; requeue sends them again" : "")};
}

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
    bulk_.also(change.counters);
  }

  std::int64_t run() {
    if (!selection_.ids.empty()) return run_ids();
    std::int64_t total = 0;
    for (const Part& part : parts_of(change_, selection_.filter)) {
      for (const std::string& destination : destinations(part))
        total += run_part(part, destination);
    }
    return total;
  }

 private:
  std::int64_t run_ids() {
    core::Ids ids = selection_.ids;
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    const std::string& destination = selection_.filter.destination;  // a name: no quotes in it
    const std::string guard =
        change_.guard_of_ids +
        (destination.empty() ? "" : " and destination = '" + destination + "'");
    std::int64_t total = 0;
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk_events) {
      const std::size_t count = std::min(chunk_events, ids.size() - begin);
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
      total += apply({first, first + static_cast<std::ptrdiff_t>(count)}, guard);
    }
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
    std::int64_t after = 0;
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
    filter.destination = destination;
    Condition condition{part.name, now_};
    condition.add(filter, change_.instant).add("id > ", after);
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
                                ": no ids, no filter, and not all"};
  }
  if (!selection.ids.empty() && !(is_empty(selection.filter) && !selection.all)) {
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

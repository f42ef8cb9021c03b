// move: events that are still to be delivered go to another destination, with their ids.

#include <stdexcept>

#include "storage/life/destination_row.hpp"
#include "storage/people/change.hpp"
#include "storage/people/move.hpp"
#include "storage/people/selection.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto move_action = "move";

core::Ids movable(sqlite3* db, const std::string& from) {
  Statement rows{db,
                 "select event from main.outbox_queue where destination = ?1"
                 " and state in (0, 1, 2, 3, 4) order by event",
                 move_action};
  rows.bind(1, std::string_view{from});
  core::Ids ids;
  while (rows.step()) ids.push_back(rows.integer(0));
  return ids;
}

// Those of them whose dedupe key is taken there.
std::int64_t count_duplicates(sqlite3* db, const std::string& from, const std::string& to) {
  Statement count{db,
                  "select count(*) from main.outbox_queue q join main.outbox_events e"
                  " on e.id = q.event where q.destination = ?1 and q.state in (0, 1, 2, 3, 4)"
                  " and e.dedupe_key is not null and exists (select 1 from main.outbox_events t"
                  " where t.destination = ?2 and t.dedupe_key = e.dedupe_key)",
                  move_action};
  count.bind(1, std::string_view{from}).bind(2, std::string_view{to}).step();
  return count.integer(0);
}

// The pause of a dispatcher that is at work must last all the time: what it has under way would be
// delivered to the one destination and moved to the other.
void require_pause(sqlite3* db, const std::string& from, core::Instant since) {
  Statement paused{db,
                   "select 1 from main.outbox_destinations where name = ?1 and paused_at_ms = ?2",
                   move_action};
  if (paused.bind(1, std::string_view{from}).bind(2, core::unix_ms(since)).step()) return;
  throw std::runtime_error{
      "outbox: move: " + from +
      " was resumed meanwhile, and not all may be moved: pause it, and move again"};
}

// A pending event is ready at its own time again; what waits for its key is found by the next take.
Tally move_chunk(sqlite3* db, const std::string& from, const std::string& to,
                 const core::Ids& chunk) {
  // Nothing happens to one whose dedupe key is taken there.
  Statement in_log{db,
                   "update or ignore main.outbox_events set destination = ?2 where id = ?1"
                   " and destination = ?3 returning due_at_ms",
                   move_action};
  Statement in_queue{db,
                     "update main.outbox_queue set destination = ?1,"
                     " state = iif(state = 4, 4, 0), due_at_ms = iif(state = 4, 0, ?6),"
                     " refusals = null, solo_failures = null, refused_in = null, search = null"
                     " where destination = ?2 and state = ?3 and due_at_ms = ?4 and event = ?5",
                     move_action};
  KeysLeft keys;
  Tally tally;
  for (const EventRow& row : read_rows(db, Chosen{chunk})) {
    const bool is_there =
        row.destination == from && row.queued && row.queued->state != core::QueueState::discarded;
    if (!is_there) continue;
    const ResetAtEnd end{in_log};
    if (!in_log.bind(1, row.id)
             .bind(2, std::string_view{to})
             .bind(3, std::string_view{from})
             .step()) {
      continue;
    }
    // A retry has made a scheduled one due at once, and a suspect was due already.
    const bool is_due =
        row.queued->due_at_ms == 0 || row.queued->state == core::QueueState::suspect;
    const std::int64_t due_at_ms = is_due ? 0 : in_log.integer(0);
    in_log.run();
    in_queue.bind(1, std::string_view{to})
        .bind(2, std::string_view{from})
        .bind(3, static_cast<std::int64_t>(row.queued->state))
        .bind(4, row.queued->due_at_ms)
        .bind(5, row.id)
        .bind(6, due_at_ms)
        .run();
    ++tally[to].events;
    keys.add(row);
  }
  keys.free_next(db);
  return tally;
}

// Reads the log from the event `first` on.
bool has_events(sqlite3* db, const std::string& destination, std::int64_t first) {
  Statement any{db, "select 1 from main.outbox_events where destination = ?1 and id >= ?2 limit 1",
                move_action};
  return any.bind(1, std::string_view{destination}).bind(2, first).step();
}

std::int64_t next_id(sqlite3* db) {
  return query_integer(db, "select max(id) from main.outbox_events", move_action).value_or(0) + 1;
}

// Its counters go along, so that those of the file still add up. Its searches end: they are about
// nothing any more. Requires: `from` had no event before the event `seen_to`. What came since is
// behind that, or was moved here and is in the queue.
bool remove_if_empty(sqlite3* db, const std::string& from, const std::string& to,
                     std::int64_t seen_to) {
  Statement queued{db, "select 1 from main.outbox_queue where destination = ?1 limit 1",
                   move_action};
  if (queued.bind(1, std::string_view{from}).step() || has_events(db, from, seen_to)) return false;
  make_destination(db, to, move_action);
  Statement{db,
            "update main.outbox_requests set search = null where destination = ?1"
            " and search is not null",
            move_action}
      .bind(1, std::string_view{from})
      .run();
  Statement{
      db,
      "update main.outbox_destinations set removed = main.outbox_destinations.removed + f.removed,"
      " delivered_total = main.outbox_destinations.delivered_total + f.delivered_total,"
      " requests_total = main.outbox_destinations.requests_total + f.requests_total"
      " from (select removed, delivered_total, requests_total from main.outbox_destinations"
      " where name = ?1) f where name = ?2",
      move_action}
      .bind(1, std::string_view{from})
      .bind(2, std::string_view{to})
      .run();
  Statement remove{db, "delete from main.outbox_destinations where name = ?1 returning 1",
                   move_action};
  const bool is_removed = remove.bind(1, std::string_view{from}).step();
  remove.run();
  return is_removed;
}

}  // namespace

MoveReport move_events(sqlite3* db, const std::string& from, const std::string& to,
                       const ChangeNote& note, Mode mode, const Progress& progress,
                       std::optional<core::Instant> rests_since) {
  BulkChange bulk{db,
                  {.action = move_action, .destination = from, .subject = "to " + to, .note = note},
                  Probe::asked,
                  progress};
  const core::Ids ids = while_busy([&] { return movable(db, from); });
  MoveReport report{.events = bulk.run_whole(ids, mode, [&](const core::Ids& chunk) {
    if (rests_since) require_pause(db, from, *rests_since);
    return move_chunk(db, from, to, chunk);
  })};
  if (mode == Mode::dry_run) {
    report.duplicates = while_busy([&] { return count_duplicates(db, from, to); });
    report.events -= report.duplicates;
    return report;
  }
  report.duplicates = static_cast<std::int64_t>(ids.size()) - report.events;
  if (rests_since) return report;  // its dispatcher would miss its row: it records its rounds there
  // The log may be long to read: not while writers wait.
  std::int64_t seen_to = 0;
  const bool is_used = while_busy([&] {
    seen_to = next_id(db);
    return has_events(db, from, 0);
  });
  if (is_used) return report;
  change_atomically(db, move_action, [&] {
    report.is_removed = remove_if_empty(db, from, to, seen_to);
    if (report.is_removed && report.events == 0) {
      write_audit(
          db, {.action = move_action, .destination = from, .subject = "to " + to, .note = note}, 0);
    }
  });
  return report;
}

}  // namespace outbox::storage

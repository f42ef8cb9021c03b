#include "storage/life/log_gap.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto compare_action = "compare the log with the queue";

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

// What requests behind `seen` have delivered, in order.
Ranges delivered_ranges(sqlite3* db, std::int64_t seen = 0) {
  Statement rows{db,
                 "select delivered_ids from main.outbox_requests"
                 " where delivered_ids is not null and id > ?1",
                 compare_action};
  Ranges ranges;
  for (rows.bind(1, seen); rows.step();) {
    core::for_each_range(rows.text(0), [&](std::int64_t first, std::int64_t last) {
      ranges.emplace_back(first, last);
    });
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

bool contains(const Ranges& ranges, std::int64_t id) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), id,
                       [](std::int64_t wanted, const auto& range) { return wanted < range.first; });
  return after != ranges.begin() && id <= std::prev(after)->second;
}

}  // namespace

Unqueued unqueued(sqlite3* db) {
  // First: what is delivered while the rest is read is looked at again.
  Unqueued found{.seen =
                     query_integer(db, "select max(id) from main.outbox_requests", compare_action)
                         .value_or(0)};
  const Ranges delivered = delivered_ranges(db);
  Statement rows{db,
                 "select id from main.outbox_events"
                 " where id > 0"  // an erasure that was interrupted leaves filling rows below
                 " and id not in (select event from main.outbox_queue)",
                 compare_action};
  while (rows.step()) {
    if (!contains(delivered, rows.integer(0))) found.ids.push_back(rows.integer(0));
  }
  return found;
}

void queue_events(sqlite3* db, const core::Ids& ids) {
  Statement insert{db,
                   "insert into main.outbox_queue (destination, due_at_ms, event, ordering_key,"
                   " enqueued_at_ms) select destination, due_at_ms, id, ordering_key,"
                   " enqueued_at_ms from main.outbox_events where id = ?1",
                   "enqueue"};
  for (const std::int64_t id : ids) insert.bind(1, id).run();
}

std::int64_t queue_missing(sqlite3* db, const Unqueued& found) {
  if (found.ids.empty()) return 0;
  const Ranges delivered = delivered_ranges(db, found.seen);
  Statement stored{db, "select 1 from main.outbox_events where id = ?1", compare_action};
  FindQueued is_queued{db};
  core::Ids missing;
  for (const std::int64_t id : found.ids) {
    const ResetAtEnd end{stored};
    if (contains(delivered, id) || is_queued(id) || !stored.bind(1, id).step()) continue;
    missing.push_back(id);
  }
  queue_events(db, missing);
  return static_cast<std::int64_t>(missing.size());
}

std::int64_t log_gap(sqlite3* db) {
  return query_integer(db,
                       "select coalesce((select seq from main.sqlite_sequence"
                       " where name = 'outbox_events'), 0)"
                       " - (select count(*) from main.outbox_queue)"
                       " - (select coalesce(sum(delivered + removed), 0)"
                       " from main.outbox_destinations)",
                       compare_action)
      .value_or(0);
}

LogLook look_for_missing(sqlite3* db, const std::string& destination) {
  LogLook look{.gap = log_gap(db)};
  Statement seen{db, "select 1 from main.outbox_destinations where name = ?1 and log_gap = ?2",
                 compare_action};
  // A gap that was looked into before says nothing new, and a large log is long to read.
  const bool is_known = look.gap == 0 || seen.bind(1, destination).bind(2, look.gap).step();
  if (!is_known) look.missing = unqueued(db);
  return look;
}

void note_gap(sqlite3* db, const std::string& destination, std::int64_t gap) {
  Statement{db, "update main.outbox_destinations set log_gap = ?2 where name = ?1", compare_action}
      .bind(1, destination)
      .bind(2, gap)
      .run();
}

}  // namespace outbox::storage

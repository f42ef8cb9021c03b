#include "storage/life/retention.hpp"

#include <sqlite3.h>

#include <limits>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "outbox/errors.hpp"

namespace outbox::storage {

namespace {

constexpr auto retention_action = "prune";
constexpr auto read_delivered_ids =
    "select delivered_ids, bytes from main.outbox_requests"
    " where id = ?1 and delivered_ids is not null";
constexpr auto all_of_them = std::numeric_limits<std::size_t>::max();

// In order of id, which is the order in which they were recorded. A clock that jumps leaves some
// for later: this many young ones in a row mean that the rest is young. What ended later than now
// says nothing: a clock was ahead when it was recorded, for however long.
constexpr int young_max = 100;

}  // namespace

OldRequests::OldRequests(sqlite3* db, std::string destination)
    : db_{db}, destination_{std::move(destination)} {}

core::Ids OldRequests::find(core::Instant ended_before, core::Instant now) {
  return find_up_to(removed_requests_max + 1, ended_before, now);
}

core::Ids OldRequests::find_up_to(std::size_t requests_max, core::Instant ended_before,
                                  core::Instant now) {
  // A backup that was restored into the file brings lower ids back.
  const std::int64_t newest =
      query_integer(db_, "select max(id) from main.outbox_requests", retention_action).value_or(0);
  if (newest < newest_) first_ = 0;
  newest_ = newest;
  // The rows of other destinations are looked at too: they say how old the next ones are.
  Statement rows{db_,
                 "select id, started_at_ms + took_ms,"
                 " destination = ?1 and delivered_ids is not null"
                 " from main.outbox_requests where id >= ?2 order by id",
                 retention_action};
  rows.bind(1, std::string_view{destination_}).bind(2, first_);
  core::Ids found;
  bool has_own = false;
  for (int young = 0; young < young_max && found.size() < requests_max && rows.step();) {
    const bool is_own = rows.integer(2) != 0;
    has_own = has_own || is_own;
    if (!has_own) first_ = rows.integer(0) + 1;
    const std::int64_t ended_ms = rows.integer(1);
    if (ended_ms > core::unix_ms(now)) continue;
    const bool is_old = ended_ms <= core::unix_ms(ended_before);
    young = is_old ? 0 : young + 1;
    if (is_old && is_own) found.push_back(rows.integer(0));
  }
  return found;
}

namespace {

// A trigger of the host's can ignore a deletion without an error. Without its request such an event
// would count as lost, and be queued again.
void require_gone(sqlite3* db, std::int64_t first, std::int64_t last) {
  Statement left{db, "select id from main.outbox_events where id between ?1 and ?2 limit 1",
                 retention_action};
  if (!left.bind(1, first).bind(2, last).step()) return;
  throw database_error{SQLITE_CONSTRAINT_TRIGGER,
                       "outbox: remove delivered events: a trigger ignored the "
                       "removal of event " +
                           std::to_string(left.integer(0))};
}

}  // namespace

std::int64_t OldRequests::remove(const core::Ids& requests) {
  // Read here: something of it may have been requeued since it was found.
  Statement delivered_ids{db_, read_delivered_ids, retention_action};
  Statement remove{db_, "delete from main.outbox_events where id between ?1 and ?2",
                   retention_action};
  // The newest row stays, since a request's id must not come twice.
  Statement forget{db_,
                   "delete from main.outbox_requests where id = ?1"
                   " and id < (select max(id) from main.outbox_requests)",
                   retention_action};
  Statement keep{db_, "update main.outbox_requests set delivered_ids = null where id = ?1",
                 retention_action};
  std::int64_t removed = 0;
  std::int64_t bytes = 0;
  int done = 0;
  for (const std::int64_t request : requests) {
    if (removed >= removed_events_max || done == removed_requests_max) break;
    if (bytes >= removed_bytes_max) break;
    ++done;
    const ResetAtEnd end{delivered_ids};
    if (!delivered_ids.bind(1, request).step()) continue;
    core::for_each_range(delivered_ids.text(0), [&](std::int64_t first, std::int64_t last) {
      remove.bind(1, first).bind(2, last).run();
      const std::int64_t gone = sqlite3_changes(db_);
      if (gone < last - first + 1) require_gone(db_, first, last);
      removed += gone;
    });
    bytes += delivered_ids.integer(1);
    forget.bind(1, request).run();
    if (sqlite3_changes(db_) == 0) keep.bind(1, request).run();
  }
  is_through_ = done == static_cast<int>(requests.size());
  if (removed > 0) {
    Statement{db_,
              "update main.outbox_destinations set removed = removed + ?2,"
              " delivered = delivered - ?2 where name = ?1",
              retention_action}
        .bind(1, std::string_view{destination_})
        .bind(2, removed)
        .run();
  }
  return removed;
}

std::int64_t OldRequests::count(core::Instant ended_before, core::Instant now) {
  Statement events{db_, "select count(*) from main.outbox_events where id between ?1 and ?2",
                   retention_action};
  Statement delivered_ids{db_, read_delivered_ids, retention_action};
  std::int64_t found = 0;
  for (const std::int64_t request : find_up_to(all_of_them, ended_before, now)) {
    const ResetAtEnd end{delivered_ids};
    if (!delivered_ids.bind(1, request).step()) continue;
    core::for_each_range(delivered_ids.text(0), [&](std::int64_t first, std::int64_t last) {
      events.bind(1, first).bind(2, last).step();
      found += events.integer(0);
      events.reset();
    });
  }
  return found;
}

}  // namespace outbox::storage

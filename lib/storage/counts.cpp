#include "storage/counts.hpp"

#include <algorithm>
#include <map>

#include "outbox/migrate.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

using Destinations = std::map<std::string, DestinationStatus>;
constexpr auto action = "read the status";

void read_destinations(sqlite3* db, Destinations& destinations) {
  Statement rows{
      db,
      "select name, first_served_at_ms is not null, paused_at_ms, paused_reason,"
      " hold_reason, hold_since_ms, hold_until_ms, hold_tries, delivered,"
      " delivered_total, removed, requests_total, hold_kind from main.outbox_destinations",
      action};
  while (rows.step()) {
    DestinationStatus& found = destinations[rows.text(0)];
    found.was_ever_served = rows.integer(1) != 0;
    if (!rows.is_null(2)) found.paused = Pause{rows.text(3), core::instant_of(rows.integer(2))};
    if (!rows.is_null(4)) {
      found.hold = Hold{rows.text(12), rows.text(4), core::instant_of(rows.integer(5)),
                        core::instant_of(rows.integer(6)), rows.integer(7)};
    }
    found.counts.delivered = rows.integer(8);
    found.counts.delivered_total = rows.integer(9);
    found.counts.removed = rows.integer(10);
    found.counts.requests_total = rows.integer(11);
  }
}

void read_pending(sqlite3* db, Destinations& destinations, core::Instant now) {
  Statement rows{db,
                 "select destination, count(*), sum(due_at_ms <= ?1) from main.outbox_events"
                 " where state = 0 group by destination",
                 action};
  rows.bind(1, core::unix_ms(now));
  while (rows.step()) {
    Counts& counts = destinations[rows.text(0)].counts;
    counts.pending = rows.integer(1);
    counts.due = rows.integer(2);
    counts.scheduled = counts.pending - counts.due;
  }
}

// Counts the rows of a partial index, a destination each.
void read_group(sqlite3* db, Destinations& destinations, const char* sql,
                std::int64_t Counts::*member) {
  Statement rows{db, sql, action};
  while (rows.step()) destinations[rows.text(0)].counts.*member = rows.integer(1);
}

// The first at-once event is the oldest of its kind, since ids are commit order.
void read_age(sqlite3* db, const std::string& name, Counts& counts, core::Instant now) {
  Statement oldest{db,
                   "select min(since) from (select * from (select enqueued_at_ms as since"
                   " from main.outbox_events where destination = ?1 and state = 0 and due_at_ms = 0"
                   " order by id limit 1) union all select min(due_at_ms) from main.outbox_events"
                   " where destination = ?1 and state = 0 and due_at_ms between 1 and ?2)",
                   action};
  oldest.bind(1, name).bind(2, core::unix_ms(now));
  if (!oldest.step() || oldest.is_null(0)) return;
  counts.oldest_due_age =
      std::max(now - core::instant_of(oldest.integer(0)), std::chrono::milliseconds{0});
}

void add(Counts& sum, const Counts& part) {
  sum.pending += part.pending;
  sum.due += part.due;
  sum.scheduled += part.scheduled;
  sum.retrying += part.retrying;
  sum.dead += part.dead;
  sum.discarded += part.discarded;
  sum.delivered += part.delivered;
  sum.enqueued += part.enqueued;
  sum.removed += part.removed;
  sum.delivered_total += part.delivered_total;
  sum.requests_total += part.requests_total;
  if (part.oldest_due_age) {
    sum.oldest_due_age =
        std::max(sum.oldest_due_age.value_or(*part.oldest_due_age), *part.oldest_due_age);
  }
}

Destinations read_all(sqlite3* db, core::Instant now) {
  Destinations destinations;
  read_destinations(db, destinations);
  read_pending(db, destinations, now);
  read_group(db, destinations,
             "select destination, count(*) from main.outbox_events"
             " where state = 0 and attempts > 0 group by destination",
             &Counts::retrying);
  read_group(db, destinations,
             "select destination, count(*) from main.outbox_events where state = 2"
             " group by destination",
             &Counts::dead);
  read_group(db, destinations,
             "select destination, count(*) from main.outbox_events where state = 3"
             " group by destination",
             &Counts::discarded);
  for (auto& [name, found] : destinations) {
    found.name = name;
    Counts& counts = found.counts;
    counts.enqueued =
        counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed;
    read_age(db, name, counts, now);
  }
  return destinations;
}

}  // namespace

Status read_status(sqlite3* db, const std::string& destination, core::Instant now) {
  return while_busy([&] {
    const ReadTransaction moment{db};
    require_schema(db);
    Status status{.schema_version = migrated_version(db)};
    for (auto& [name, found] : read_all(db, now)) {
      if (!destination.empty() && name != destination) continue;
      add(status.counts, found.counts);
      status.destinations.push_back(std::move(found));
    }
    if (destination.empty()) {
      // AUTOINCREMENT counts every event ever, also those that nothing above knows of any more.
      status.counts.enqueued =
          query_integer(db, "select seq from main.sqlite_sequence where name = 'outbox_events'",
                        action)
              .value_or(0);
    }
    return status;
  });
}

}  // namespace outbox::storage

// The numbers of `status`, straight from the tables.

#include <algorithm>
#include <array>
#include <map>

#include "core/stored_names.hpp"
#include "outbox/migrate.hpp"
#include "storage/people/events.hpp"
#include "storage/people/filter.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

using Destinations = std::map<std::string, DestinationStatus>;
constexpr auto count_action = "read the status";

void read_rows_of(sqlite3* db, Destinations& destinations) {
  Statement rows{db,
                 "select name, first_served_at_ms is not null, paused_at_ms, paused_reason,"
                 " hold_reason, hold_since_ms, hold_until_ms, hold_tries, delivered,"
                 " delivered_total, removed, requests_total, hold_kind, database_identity,"
                 " block_on_dead"
                 " from main.outbox_destinations",
                 count_action};
  const std::string identity = identity_of(path_of(db));
  while (rows.step()) {
    DestinationStatus& found = destinations[rows.text(0)];
    found.was_ever_served = rows.integer(1) != 0;
    if (!rows.is_null(2)) found.paused = Pause{rows.text(3), core::instant_of(rows.integer(2))};
    if (!rows.is_null(12)) {
      found.hold = Hold{core::hold_kind_named(rows.text(12)), rows.text(4),
                        core::instant_of(rows.integer(5)), core::instant_of(rows.integer(6)),
                        rows.integer(7)};
    }
    found.counts.delivered = rows.integer(8);
    found.counts.delivered_total = rows.integer(9);
    found.counts.removed = rows.integer(10);
    found.counts.requests_total = rows.integer(11);
    // With events pending: see below.
    found.is_foreign = !rows.is_null(13) && !identity.empty() && rows.text(13) != identity;
    found.blocks_on_dead = rows.integer(14) != 0;
  }
}

// What a name of people counts as, in the order of EventState: pending by itself may go now.
constexpr std::array<std::int64_t Counts::*, 7> members{
    &Counts::due,       &Counts::scheduled, &Counts::waiting,  &Counts::retrying,
    &Counts::delivered, &Counts::dead,      &Counts::discarded};

void add_events(Counts& counts, EventState name, std::int64_t events) {
  counts.*members.at(static_cast<std::size_t>(name)) += events;
  if (is_part_of(name, EventState::pending)) counts.pending += events;
}

void raise(std::optional<std::chrono::milliseconds>& age,
           std::optional<std::chrono::milliseconds> other) {
  if (other) age = std::max(age.value_or(*other), *other);
}

// One pass over the queue, in the order of its rows.
void read_queue(sqlite3* db, Destinations& destinations, core::Instant now) {
  Statement rows{db,
                 "select destination, state, sum(due_at_ms <= ?1), sum(due_at_ms > ?1),"
                 " min(iif(state = 3 or due_at_ms = 0, enqueued_at_ms,"
                 " iif(due_at_ms <= ?1, due_at_ms, null)))"
                 " from main.outbox_queue group by destination, state",
                 count_action};
  rows.bind(1, core::unix_ms(now));
  while (rows.step()) {
    Counts& counts = destinations[rows.text(0)].counts;
    const core::QueueState state{rows.integer(1)};
    const EventState name = event_state(state, 0, now);
    add_events(counts, name, rows.integer(2));
    add_events(counts, event_state(state, core::unix_ms(now) + 1, now), rows.integer(3));
    const bool is_retrying = name == EventState::retrying;
    if ((name != EventState::pending && !is_retrying) || rows.is_null(4)) continue;
    const auto age =
        std::max(now - core::instant_of(rows.integer(4)), std::chrono::milliseconds{0});
    raise(is_retrying ? counts.oldest_retrying_age : counts.oldest_due_age, age);
  }
}

constexpr std::size_t holders_max = 3;  // a person reads no more

// Who holds others back, so that a person can decide.
std::vector<Holder> read_holders(sqlite3* db, const DestinationStatus& destination) {
  Statement rows{db,
                 "select event, state, coalesce(refusals, 0), coalesce(solo_failures, 0),"
                 " (select count(*) from (select 1 from main.outbox_queue f"
                 "  where f.destination = ?1 and f.ordering_key = q.ordering_key"
                 "  and f.event > q.event and f.state < 4 limit 1001))"
                 " from main.outbox_queue q where destination = ?1 and state = ?2"
                 " and ordering_key is not null and (state = 3 or exists"
                 " (select 1 from main.outbox_destinations where name = ?1 and block_on_dead))"
                 " and exists (select 1 from main.outbox_queue f where f.destination = ?1"
                 " and f.ordering_key = q.ordering_key and f.event > q.event and f.state < 4)"
                 " limit 100",
                 count_action};
  std::vector<Holder> found;
  for (const auto state : {core::QueueState::suspect, core::QueueState::dead}) {
    rows.reset();
    rows.bind(1, std::string_view{destination.name}).bind(2, static_cast<std::int64_t>(state));
    while (rows.step()) {
      found.push_back({.id = rows.integer(0),
                       .is_dead = rows.integer(1) == 4,
                       .refusals = rows.integer(2),
                       .solo_failures = rows.integer(3),
                       .holds = rows.integer(4)});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Holder& left, const Holder& right) {
    return left.holds > right.holds;
  });
  if (found.size() > holders_max) found.resize(holders_max);
  return found;
}

void read_moves(sqlite3* db, Destinations& destinations) {
  Statement moves{db,
                  "select destination, sum(events) from main.outbox_audit where action = 'move'"
                  " and destination is not null group by 1",
                  count_action};
  while (moves.step()) {
    const auto found = destinations.find(moves.text(0));
    if (found != destinations.end()) found->second.counts.moved_away = moves.integer(1);
  }
}

void add(Counts& sum, const Counts& part) {
  for (const auto member :
       {&Counts::pending, &Counts::due, &Counts::scheduled, &Counts::waiting, &Counts::retrying,
        &Counts::dead, &Counts::discarded, &Counts::delivered, &Counts::enqueued, &Counts::removed,
        &Counts::delivered_total, &Counts::requests_total}) {
    sum.*member += part.*member;
  }
  raise(sum.oldest_due_age, part.oldest_due_age);
  raise(sum.oldest_retrying_age, part.oldest_retrying_age);
}

}  // namespace

Status read_status(sqlite3* db, const std::string& destination, core::Instant now) {
  return while_busy([&] {
    const ReadTransaction moment{db};
    require_schema(db);
    Destinations destinations;
    read_rows_of(db, destinations);
    read_queue(db, destinations, now);
    read_moves(db, destinations);
    Status status{.schema_version = migrated_version(db)};
    for (auto& [name, found] : destinations) {
      if (!destination.empty() && name != destination) continue;
      found.name = name;
      found.holders = read_holders(db, found);
      Counts& counts = found.counts;
      found.is_foreign = found.is_foreign && counts.pending > 0;
      counts.enqueued =
          counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed;
      add(status.counts, counts);
      status.destinations.push_back(std::move(found));
    }
    if (destination.empty()) {
      // AUTOINCREMENT counts every event ever, also those that nothing above knows of any more.
      status.counts.enqueued =
          query_integer(db, "select seq from main.sqlite_sequence where name = 'outbox_events'",
                        count_action)
              .value_or(0);
    }
    return status;
  });
}

std::vector<DestinationStatus> read_destinations(sqlite3* db) {
  return while_busy([&] {
    const ReadTransaction moment{db};
    require_schema(db);
    Destinations destinations;
    read_rows_of(db, destinations);
    for (Statement names{db, queued_destinations, count_action}; names.step();) {
      destinations[names.text(0)];
    }
    Statement pending{
        db, "select 1 from main.outbox_queue where destination = ?1 and state < 4 limit 1",
        count_action};
    std::vector<DestinationStatus> found;
    for (auto& [name, destination] : destinations) {
      const ResetAtEnd end{pending};
      destination.name = name;
      destination.is_foreign =
          destination.is_foreign && pending.bind(1, std::string_view{name}).step();
      found.push_back(std::move(destination));
    }
    return found;
  });
}

std::vector<FailureReason> read_failures(sqlite3* db, const std::string& destination,
                                         std::size_t limit) {
  std::string sql =
      "select destination, last_error, state = 4, count(*), max(event) from main.outbox_queue"
      " where state in (3, 4) and (?1 is null or destination = ?1) and destination in (";
  sql += queued_destinations;
  sql += ") group by 1, 2, 3 order by 4 desc, 5 desc limit ?2";
  Statement rows{db, sql, count_action};
  rows.bind(1, text_or_null(destination))
      .bind(2, static_cast<std::int64_t>(limit));  // beyond what fits: negative, no limit
  std::vector<FailureReason> found;
  while (rows.step()) {
    found.push_back({.destination = rows.text(0),
                     .reason = rows.text(1),
                     .is_dead = rows.integer(2) == 1,
                     .events = rows.integer(3),
                     .newest_id = rows.integer(4)});
  }
  return found;
}

}  // namespace outbox::storage

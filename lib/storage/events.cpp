#include "storage/events.hpp"

#include <algorithm>

#include "core/doubt.hpp"
#include "core/id_ranges.hpp"
#include "storage/filter.hpp"
#include "storage/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "read events";

std::optional<std::chrono::system_clock::time_point> instant_or_none(const Statement& row,
                                                                     int column) {
  if (row.is_null(column)) return std::nullopt;
  return core::instant_of(row.integer(column));
}

std::string select_events() {
  return "select id, event_id, destination, " + field_sql("event_name") + ", " +
         field_sql("user_id") + ", " + field_sql("context.group_id") +
         ", state, attempts, enqueued_at_ms, due_at_ms, settled_at_ms, last_error, payload,"
         " ordering_key from main.outbox_events";
}

std::string state_name(std::int64_t state, std::int64_t attempts, std::int64_t due_at_ms,
                       core::Instant now) {
  switch (state) {
    case 1:
      return "delivered";
    case 2:
      return "dead";
    case 3:
      return "discarded";
    default:
      break;
  }
  if (attempts > 0) return "retrying";
  return core::instant_of(due_at_ms) > now ? "scheduled" : "pending";
}

EventSummary summary_at(const Statement& row, core::Instant now) {
  return {.id = row.integer(0),
          .event_id = row.text(1),
          .destination = row.text(2),
          .event_name = row.text(3),
          .user_id = row.text(4),
          .group_id = row.text(5),
          .state = state_name(row.integer(6), row.integer(7), row.integer(9), now),
          .attempts = row.integer(7),
          .enqueued_at = core::instant_of(row.integer(8)),
          .due_at = row.integer(9) == 0 ? std::nullopt : instant_or_none(row, 9),
          .settled_at = instant_or_none(row, 10),
          .last_error = row.text(11)};
}

constexpr auto select_batches =
    "select id, destination, started_at_ms, took_ms, events, first_id, last_id, bytes, status,"
    " outcome, reason, response_id, warnings, parent, ids from main.outbox_batches";

BatchSummary batch_at(const Statement& row) {
  BatchSummary batch{.id = row.integer(0),
                     .destination = row.text(1),
                     .started_at = core::instant_of(row.integer(2)),
                     .took = std::chrono::milliseconds{row.integer(3)},
                     .events = row.integer(4),
                     .first_id = row.integer(5),
                     .last_id = row.integer(6),
                     .bytes = row.integer(7),
                     .outcome = row.text(9),
                     .reason = row.text(10),
                     .response_id = row.text(11),
                     .warnings = row.text(12)};
  if (!row.is_null(8)) batch.status = static_cast<int>(row.integer(8));
  if (!row.is_null(13)) batch.parent = row.integer(13);
  return batch;
}

std::vector<BatchSummary> batches_with(sqlite3* db, const EventSummary& event) {
  Statement rows{db,
                 (std::string{select_batches} +
                  " where destination = ?1 and first_id <= ?2 and last_id >= ?2 order by id")
                     .c_str(),
                 action};
  rows.bind(1, event.destination).bind(2, event.id);
  std::vector<BatchSummary> batches;
  while (rows.step()) {
    if (core::ranges_contain(rows.text(14), event.id)) batches.push_back(batch_at(rows));
  }
  return batches;
}

}  // namespace

std::vector<EventSummary> read_events(sqlite3* db, const EventFilter& filter, core::Instant now) {
  Condition condition =
      filter.state.empty() ? Condition{} : Condition{state_named(filter.state), now};
  condition.add(filter);
  const std::int64_t limit = filter.limit ? static_cast<std::int64_t>(*filter.limit) : -1;
  Statement rows{
      db,
      (select_events() + condition.where() + " order by id limit " + std::to_string(limit)).c_str(),
      action};
  condition.bind(rows);
  std::vector<EventSummary> events;
  while (rows.step()) events.push_back(summary_at(rows, now));
  return events;
}

std::optional<EventDetail> read_event(sqlite3* db, std::int64_t id, core::Instant now) {
  Statement row{db, (select_events() + " where id = ?1").c_str(), action};
  if (!row.bind(1, id).step()) return std::nullopt;
  EventDetail detail{
      .event = summary_at(row, now), .payload = row.text(12), .ordering_key = row.text(13)};
  detail.batches = batches_with(db, detail.event);
  return detail;
}

std::vector<BatchSummary> read_batches(sqlite3* db, const std::string& destination,
                                       std::size_t limit) {
  Statement rows{db,
                 (std::string{select_batches} +
                  " where ?1 is null or destination = ?1 order by id desc limit ?2")
                     .c_str(),
                 action};
  rows.bind(1, text_or_null(destination)).bind(2, static_cast<std::int64_t>(limit));
  std::vector<BatchSummary> batches;
  while (rows.step()) batches.push_back(batch_at(rows));
  return batches;
}

std::optional<core::Blocker> blocker_in_key(sqlite3* db, const EventDetail& event) {
  if (event.ordering_key.empty()) return std::nullopt;
  const auto nearest = [&](const char* sql) -> std::optional<std::int64_t> {
    Statement before{db, sql, action};
    before.bind(1, event.event.destination).bind(2, event.ordering_key).bind(3, event.event.id);
    if (!before.step()) return std::nullopt;
    return before.integer(0);
  };
  if (const auto pending =
          nearest("select id from main.outbox_events where destination = ?1 and state = 0"
                  " and ordering_key = ?2 and id < ?3 order by id desc limit 1")) {
    return core::Blocker{.id = *pending};
  }
  if (const auto dead = nearest(
          "select id from main.outbox_events where destination = ?1 and state = 2"
          " and ordering_key = ?2 and id < ?3 and exists (select 1 from main.outbox_destinations"
          " where name = ?1 and block_on_dead) limit 1")) {
    return core::Blocker{.id = *dead, .is_dead = true};
  }
  return std::nullopt;
}

bool is_in_search(sqlite3* db, const EventSummary& event) {
  Statement rows{db,
                 "select doubt from main.outbox_batches"
                 " where destination = ?1 and doubt is not null order by id",
                 action};
  rows.bind(1, event.destination);
  while (rows.step()) {
    const core::Ids ids = core::Doubt::parse(rows.text(0)).all();
    if (std::binary_search(ids.begin(), ids.end(), event.id)) return true;
  }
  return false;
}

std::int64_t due_before(sqlite3* db, const EventSummary& event, core::Instant now) {
  Statement count{db,
                  "select count(*) from main.outbox_events"
                  " where destination = ?1 and state = 0 and due_at_ms <= ?2 and id < ?3",
                  action};
  count.bind(1, event.destination).bind(2, core::unix_ms(now)).bind(3, event.id).step();
  return count.integer(0);
}

}  // namespace outbox::storage

#include "storage/people/events.hpp"

#include <algorithm>

#include "storage/people/requests.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto events_action = "read events";

// A row of the queue is found by its primary key, as `find_queued` does it, for many events at
// once. A suspect's place holds the time of its next try, so that the suspects are read through;
// those of other events are not kept, since there may be many.
std::string select_from_log(const std::string& columns, const Chosen& events,
                            Order order = Order::oldest_first) {
  return "with suspects (event, due_at_ms) as materialized (select event, due_at_ms"
         " from main.outbox_queue where destination in (select name from main.outbox_destinations)"
         " and state = 3" +
         (events.are_named() ? " and event in (" + events.sql() + ")" : "") + ") select " +
         columns +
         " from main.outbox_events e left join suspects s on s.event = e.id"
         " left join main.outbox_queue q on q.destination = e.destination"
         " and q.state in (0, 1, 2, 3, 4, 5) and q.due_at_ms in (0, e.due_at_ms, s.due_at_ms)"
         " and q.event = e.id where e.id in (" +
         events.sql() + ") order by e.id" + (order == Order::newest_first ? " desc" : "");
}

std::optional<core::Instant> instant_or_none(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return core::instant_of(row.integer(column));
}

std::string summary_columns() {
  return "e.id, e.event_id, e.destination, " + field_sql("event_name") + ", " +
         field_sql("user_id") + ", " + field_sql("context.group_id") +
         ", q.state, coalesce(q.due_at_ms, e.due_at_ms), q.refusals, q.solo_failures,"
         " e.enqueued_at_ms, q.settled_at_ms, q.last_error";
}

EventSummary summary_at(const Statement& row, core::Instant now) {
  const std::int64_t due_at_ms = row.integer(7);
  const EventState state = row.is_null(6)
                               ? EventState::delivered
                               : event_state(core::QueueState{row.integer(6)}, due_at_ms, now);
  EventSummary event{.id = row.integer(0),
                     .event_id = row.text(1),
                     .destination = row.text(2),
                     .event_name = row.text(3),
                     .user_id = row.text(4),
                     .group_id = row.text(5),
                     .state = state,
                     .refusals = row.integer(8),
                     .solo_failures = row.integer(9),
                     .enqueued_at = core::instant_of(row.integer(10)),
                     .settled_at = instant_or_none(row, 11),
                     .last_error = row.text(12)};
  if (due_at_ms != 0) event.due_at = core::instant_of(due_at_ms);
  return event;
}

// When an event was delivered is in the request log.
template <class Events, class SummaryOf>
void put_deliveries(sqlite3* db, Events& events, SummaryOf summary_of) {
  core::Ids delivered;
  for (auto& event : events) {
    if (summary_of(event).state == EventState::delivered) delivered.push_back(summary_of(event).id);
  }
  std::sort(delivered.begin(), delivered.end());
  const auto deliveries = deliveries_of(db, delivered);
  for (auto& event : events) {
    const auto found = deliveries.find(summary_of(event).id);
    if (found != deliveries.end()) summary_of(event).settled_at = found->second;
  }
}

std::vector<EventSummary> read_chosen(sqlite3* db, const Chosen& chosen, core::Instant now,
                                      Order order) {
  Statement rows{db, select_from_log(summary_columns(), chosen, order), events_action};
  chosen.bind(rows);
  std::vector<EventSummary> events;
  while (rows.step()) events.push_back(summary_at(rows, now));
  return events;
}

constexpr auto detail_columns = ", e.payload, e.kind, e.headers, e.ordering_key, e.dedupe_key";
constexpr int detail_column = 13;  // behind those of the summary

std::vector<EventDetail> read_chosen_details(sqlite3* db, const Chosen& chosen, core::Instant now,
                                             Order order = Order::oldest_first) {
  Statement rows{db, select_from_log(summary_columns() + detail_columns, chosen, order),
                 events_action};
  chosen.bind(rows);
  std::vector<EventDetail> events;
  while (rows.step()) {
    events.push_back({.event = summary_at(rows, now),
                      .payload = rows.text(detail_column),
                      .kind = rows.text(detail_column + 1),
                      .headers = rows.text(detail_column + 2),
                      .ordering_key = rows.text(detail_column + 3),
                      .dedupe_key = rows.text(detail_column + 4)});
  }
  return events;
}

EventStates wanted_states(const EventFilter& filter) {
  if (!filter.state) return {};
  return {*filter.state};
}

}  // namespace

std::vector<EventSummary> read_events(sqlite3* db, const EventFilter& filter,
                                      const ListOptions& options, core::Instant now) {
  auto events =
      read_chosen(db, Chosen{wanted_states(filter), filter, options, now}, now, options.order);
  put_deliveries(db, events);
  return events;
}

std::vector<EventSummary> read_summaries(sqlite3* db, const core::Ids& ids, Order order,
                                         core::Instant now) {
  return read_chosen(db, Chosen{ids}, now, order);
}

void put_deliveries(sqlite3* db, std::vector<EventSummary>& events) {
  put_deliveries(db, events, [](EventSummary& event) -> EventSummary& { return event; });
}

std::vector<EventDetail> read_details(sqlite3* db, const EventFilter& filter,
                                      const ListOptions& options, core::Instant now) {
  auto events = read_chosen_details(db, Chosen{wanted_states(filter), filter, options, now}, now,
                                    options.order);
  put_deliveries(db, events, [](EventDetail& detail) -> EventSummary& { return detail.event; });
  return events;
}

std::optional<EventDetail> read_event(sqlite3* db, std::int64_t id, core::Instant now) {
  std::vector<EventDetail> found = read_chosen_details(db, Chosen{core::Ids{id}}, now);
  if (found.empty()) return std::nullopt;
  EventDetail detail = std::move(found.front());
  History history = history_of(db, detail.event);
  detail.requests = std::move(history.requests);
  if (detail.event.state == EventState::delivered) detail.event.settled_at = history.delivered_at;
  return detail;
}

std::vector<EventRow> read_rows(sqlite3* db, const Chosen& events) {
  Statement rows{db,
                 select_from_log("e.id, e.destination, e.ordering_key, q.state, q.due_at_ms,"
                                 " q.enqueued_at_ms",
                                 events),
                 events_action};
  events.bind(rows);
  std::vector<EventRow> found;
  while (rows.step()) {
    EventRow row{.id = rows.integer(0), .destination = rows.text(1), .ordering_key = rows.text(2)};
    if (!rows.is_null(3)) {
      row.queued = core::QueuedEvent{.id = row.id,
                                     .state = core::QueueState{rows.integer(3)},
                                     .due_at_ms = rows.integer(4),
                                     .enqueued_at_ms = rows.integer(5),
                                     .ordering_key = row.ordering_key};
    }
    found.push_back(std::move(row));
  }
  return found;
}

std::optional<Holder> blocker_in_key(sqlite3* db, const EventDetail& event) {
  if (event.ordering_key.empty()) return std::nullopt;
  // The first of the key is the one that all the others wait for.
  Statement before{
      db,
      "select event, state, coalesce(refusals, 0), coalesce(solo_failures, 0)"
      " from main.outbox_queue where destination = ?1 and ordering_key = ?2 and event < ?3"
      " and (state < 4 or (state = 4 and exists (select 1 from main.outbox_destinations"
      " where name = ?1 and block_on_dead))) order by event limit 1",
      events_action};
  before.bind(1, std::string_view{event.event.destination})
      .bind(2, std::string_view{event.ordering_key})
      .bind(3, event.event.id);
  if (!before.step()) return std::nullopt;
  return Holder{.id = before.integer(0),
                .is_dead = before.integer(1) == 4,
                .refusals = before.integer(2),
                .solo_failures = before.integer(3)};
}

std::int64_t due_before(sqlite3* db, const EventSummary& event, core::Instant now) {
  Statement count{
      db,
      "select (select count(*) from (select 1 from main.outbox_queue where destination = ?1"
      " and state in (0, 2) and due_at_ms = 0 and event < ?2 limit ?4)) +"
      " (select count(*) from (select event from main.outbox_queue where destination = ?1"
      " and state in (0, 2) and due_at_ms between 1 and ?3 limit ?4) where event < ?2)",
      events_action};
  count.bind(1, std::string_view{event.destination})
      .bind(2, event.id)
      .bind(3, core::unix_ms(now))
      .bind(4, core::due_before_max + 1)
      .step();
  return count.integer(0);
}

}  // namespace outbox::storage

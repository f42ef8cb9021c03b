#include "storage/people/filter.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "core/event/enqueue_options.hpp"
#include "core/event/timestamp.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

// Where an event is in the queue follows from its state: see `find_queued`.
constexpr auto is_not_queued =
    "not exists (select 1 from main.outbox_queue q where q.destination = e.destination"
    " and q.state in (0, 1, 2, 4, 5) and q.due_at_ms in (0, e.due_at_ms) and q.event = e.id)"
    " and e.id not in (select event from main.outbox_queue"
    " where destination in (select name from main.outbox_destinations) and state = 3)";

}  // namespace

std::string ms_text(std::chrono::system_clock::time_point instant) {
  return std::to_string(
      std::chrono::ceil<std::chrono::milliseconds>(instant.time_since_epoch()).count());
}

void require_filter(const EventFilter& filter) {
  if (!filter.destination.empty()) core::require_destination_name(filter.destination);
  if (filter.since) core::require_instant("since", *filter.since);
  if (filter.until) core::require_instant("until", *filter.until);
  if (filter.settled_since) core::require_instant("settled_since", *filter.settled_since);
  if (filter.since && filter.until && *filter.since >= *filter.until) {
    throw std::invalid_argument{"outbox: until: must be after since"};
  }
}

sqlite3* readable(ConnectionRef connection, const EventFilter& filter) {
  require_filter(filter);
  while_busy([&] { require_schema(connection.handle()); });
  return connection.handle();
}

std::vector<core::QueueState> queue_states(EventState state) {
  using core::QueueState;
  switch (state) {
    case EventState::pending:
      return {QueueState::ready, QueueState::waiting, QueueState::in_search, QueueState::suspect};
    case EventState::scheduled:
      return {QueueState::ready, QueueState::waiting};
    case EventState::waiting:
      return {QueueState::waiting};
    case EventState::retrying:
      return {QueueState::suspect};
    case EventState::dead:
      return {QueueState::dead};
    case EventState::discarded:
      return {QueueState::discarded};
    case EventState::delivered:
      break;
  }
  return {};
}

EventState event_state(core::QueueState state, std::int64_t due_at_ms, core::Instant now) {
  const bool is_due = due_at_ms <= core::unix_ms(now);
  switch (state) {
    case core::QueueState::ready:
      return is_due ? EventState::pending : EventState::scheduled;
    case core::QueueState::waiting:
      return is_due ? EventState::waiting : EventState::scheduled;
    case core::QueueState::in_search:
      return EventState::pending;
    case core::QueueState::suspect:
      return EventState::retrying;
    case core::QueueState::dead:
      return EventState::dead;
    case core::QueueState::discarded:
      break;
  }
  return EventState::discarded;
}

bool is_part_of(EventState narrow, EventState wide) {
  return narrow == wide || (wide == EventState::pending && narrow < EventState::delivered);
}

// json_extract stops with an error at what is no JSON. An id may be a number there, and what it is
// compared with is a text. A number beyond 64 bits, of which SQLite keeps 15 digits, is no id: two
// of them would look alike.
std::string field_sql(const std::string& path) {
  const std::string field = "(e.payload, '$." + path + "')";
  std::string sql{"iif(json_valid(e.payload) and json_type"};
  sql += field;
  sql += " not in ('true', 'false', 'real'), cast(json_extract";
  sql += field;
  sql += " as text), null)";
  return sql;
}

Chosen::Chosen(const core::Ids& ids) : are_named_{true} {
  for (const std::int64_t id : ids) sql_ += (sql_.empty() ? "" : ",") + std::to_string(id);
}

Chosen::Chosen(const EventStates& states, const EventFilter& filter, const ListOptions& options,
               core::Instant now) {
  const bool are_delivered = !states.empty() && states.front() == EventState::delivered;
  // Only events in the queue have an error.
  const bool are_queued =
      !are_delivered && (!states.empty() || !filter.error.empty() || filter.settled_since);
  sql_ = are_queued ? "select q.event from main.outbox_queue q"
                      " cross join main.outbox_events e on e.id = q.event where 1"
                    : "select e.id from main.outbox_events e where +e.id > 0";
  if (!filter.destination.empty()) {
    say_equal(are_queued ? "q.destination" : "e.destination", filter.destination);
  } else if (are_queued) {
    say("q.destination in (" + std::string{queued_destinations} + ")");
  }
  if (are_delivered) say(is_not_queued);
  if (are_queued && !states.empty()) say_states(states, now);
  if (!filter.event_name.empty()) say_equal(field_sql("event_name"), filter.event_name);
  if (!filter.user_id.empty()) say_equal(field_sql("user_id"), filter.user_id);
  if (!filter.group_id.empty()) say_equal(field_sql("context.group_id"), filter.group_id);
  if (!filter.error.empty() && are_queued) {
    values_.push_back(filter.error);
    say("0 < instr(q.last_error, ?" + std::to_string(values_.size()) + ")");
  } else if (!filter.error.empty()) {
    say("0");
  }
  if (filter.since) say("e.enqueued_at_ms >= " + ms_text(*filter.since));
  if (filter.until) say("e.enqueued_at_ms < " + ms_text(*filter.until));
  if (filter.settled_since) {
    say(are_queued ? "q.settled_at_ms >= " + ms_text(*filter.settled_since) : "0");
  }
  const bool is_newest_first = options.order == Order::newest_first;
  if (options.after_id) {
    say((are_queued ? "q.event" : "e.id") + std::string{is_newest_first ? " < " : " > "} +
        std::to_string(*options.after_id));
  }
  sql_ += is_newest_first ? " order by 1 desc" : " order by 1";
  if (options.limit) {
    constexpr std::size_t limit_max = std::numeric_limits<std::int64_t>::max();
    sql_ += " limit " + std::to_string(std::min(*options.limit, limit_max));
  }
}

void Chosen::bind(Statement& statement) const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    statement.bind(static_cast<int>(i) + 1, std::string_view{values_[i]});
  }
}

void Chosen::say(const std::string& condition) {
  sql_ += " and " + condition;
}

void Chosen::say_equal(const std::string& column, const std::string& value) {
  values_.push_back(value);
  say(column + " = ?" + std::to_string(values_.size()));
}

// The states by themselves are the ranges that are read; the conditions narrow them.
void Chosen::say_states(const EventStates& states, core::Instant now) {
  std::string ranges;
  std::string conditions;
  for (const EventState state : states) {
    std::string numbers;
    for (const core::QueueState one : queue_states(state)) {
      numbers += (numbers.empty() ? "" : ", ") + std::to_string(static_cast<std::int64_t>(one));
    }
    ranges += (ranges.empty() ? "" : ", ") + numbers;
    conditions += std::string{conditions.empty() ? "" : " or "} + "q.state in (" + numbers + ")";
    const bool is_scheduled = state == EventState::scheduled;
    if (!is_scheduled && state != EventState::waiting) continue;
    conditions += std::string{" and q.due_at_ms "} + (is_scheduled ? "> " : "<= ") +
                  std::to_string(core::unix_ms(now));
  }
  say("q.state in (" + ranges + ")");
  say("(" + conditions + ")");
}

}  // namespace outbox::storage

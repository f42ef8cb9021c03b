// A page of events: candidates by their ids, a handful at a time, each read and compared, until the
// page is full or the time is up. No statement runs long, so that nothing has to interrupt one: the
// progress handler of the connection is its host's.

#include "outbox/browse.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "storage/people/events.hpp"
#include "storage/people/filter.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr auto browse_action = "browse events";
constexpr std::size_t limit_default = 100;
constexpr std::size_t look_min = 50;
constexpr std::size_t look_max = 1'000;  // some 10 ms

using core::QueueState;
using StateList = std::vector<QueueState>;

// The states of the queue that hold what a filter may let through; none: it is about the log.
StateList queue_states_of(const EventFilter& filter) {
  const bool is_about_queue = !filter.error.empty() || filter.settled_since;
  if (!filter.state) {
    if (!is_about_queue) return {};
    return {QueueState::ready,   QueueState::waiting, QueueState::in_search,
            QueueState::suspect, QueueState::dead,    QueueState::discarded};
  }
  return queue_states(*filter.state);
}

// The ids of events that may be on the page, in its order, from `after` on.
class Candidates {
 public:
  Candidates(sqlite3* db, const EventFilter& filter, Order order)
      : db_{db}, filter_{filter}, order_{order}, states_{queue_states_of(filter)} {
    if (states_.empty()) return;
    if (!filter.destination.empty()) destinations_.push_back(filter.destination);
    if (!destinations_.empty()) return;
    for (Statement names{db, queued_destinations, browse_action}; names.step();) {
      destinations_.push_back(names.text(0));
    }
  }

  core::Ids next(std::int64_t after, std::size_t count) {
    core::Ids ids;
    if (states_.empty()) {
      Statement rows{db_, "select id from main.outbox_events where +id > 0 and id" + behind("id"),
                     browse_action};
      rows.bind(1, after).bind(2, static_cast<std::int64_t>(count));
      while (rows.step()) ids.push_back(rows.integer(0));
      return ids;
    }
    if (filter_.state != EventState::scheduled) add_untimed(ids, after, count);
    const core::Ids& timed = all_timed();
    auto id = std::upper_bound(timed.begin(), timed.end(), after, is_before());
    for (std::size_t i = 0; i < count && id != timed.end(); ++i, ++id) ids.push_back(*id);
    std::sort(ids.begin(), ids.end(), is_before());
    if (ids.size() > count) ids.resize(count);
    return ids;
  }

 private:
  std::string behind(const std::string& column) const {
    const bool is_newest_first = order_ == Order::newest_first;
    // Both ends: see `id_end` of the queue.
    const char* const other_end = is_newest_first ? " > 0" : " < 9223372036854775807";
    return (is_newest_first ? " < ?1 and " : " > ?1 and ") + column + other_end + " order by " +
           column + (is_newest_first ? " desc limit ?2" : " limit ?2");
  }

  // In the order of the page.
  std::function<bool(std::int64_t, std::int64_t)> is_before() const {
    if (order_ == Order::newest_first) return std::greater<std::int64_t>{};
    return std::less<std::int64_t>{};
  }

  // What is due at once stands in the order of its ids in the queue, a range for each state: its
  // first rows are found at once.
  void add_untimed(core::Ids& ids, std::int64_t after, std::size_t count) {
    Statement rows{db_,
                   "select event from main.outbox_queue where destination = ?3 and state = ?4"
                   " and due_at_ms = 0 and event" +
                       behind("event"),
                   browse_action};
    rows.bind(1, after).bind(2, static_cast<std::int64_t>(count));
    for_each_range(rows, 3, [&] { ids.push_back(rows.integer(0)); });
  }

  // What has a due time stands in the order of that: it is read and sorted once for all looks.
  const core::Ids& all_timed() {
    if (timed_) return *timed_;
    timed_.emplace();
    Statement rows{db_,
                   "select event from main.outbox_queue where destination = ?1 and state = ?2"
                   " and due_at_ms > 0",
                   browse_action};
    for_each_range(rows, 1, [&] { timed_->push_back(rows.integer(0)); });
    std::sort(timed_->begin(), timed_->end(), is_before());
    return *timed_;
  }

  // Binds a destination and a state from the parameter `first` on, and calls `work` for each row.
  template <class Work>
  void for_each_range(Statement& rows, int first, Work work) {
    for (const std::string& destination : destinations_) {
      for (const QueueState state : states_) {
        const ResetAtEnd end{rows};
        rows.bind(first, std::string_view{destination})
            .bind(first + 1, static_cast<std::int64_t>(state));
        while (rows.step()) work();
      }
    }
  }

  sqlite3* db_;
  const EventFilter& filter_;
  Order order_;
  StateList states_;
  std::vector<std::string> destinations_ = {};
  std::optional<core::Ids> timed_ = {};
};

// A value that JSON holds as it is, or else by an escape with a u.
bool is_plain(const std::string& value) {
  return std::none_of(value.begin(), value.end(), [](unsigned char c) {
    return c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/';
  });
}

// Of a look, what may be on the page. Reading the fields of a payload takes longer than to see when
// it was enqueued, and that their values are nowhere in it.
core::Ids glance(sqlite3* db, const EventFilter& filter, Order order, const core::Ids& ids) {
  std::string sql{"select id from main.outbox_events where id in ("};
  sql += Chosen{ids}.sql();
  sql += ")";
  if (filter.since) sql += " and enqueued_at_ms >= " + ms_text(*filter.since);
  if (filter.until) sql += " and enqueued_at_ms < " + ms_text(*filter.until);
  std::vector<std::string> values;
  for (const std::string* value : {&filter.event_name, &filter.user_id, &filter.group_id}) {
    if (value->empty() || !is_plain(*value)) continue;
    values.push_back(*value);
    sql += " and (instr(payload, ?";
    sql += std::to_string(values.size());
    sql += ") or instr(payload, '\\u'))";
  }
  sql += " order by id";
  if (order == Order::newest_first) sql += " desc";
  Statement rows{db, sql, browse_action};
  for (std::size_t i = 0; i < values.size(); ++i) {
    rows.bind(static_cast<int>(i) + 1, std::string_view{values[i]});
  }
  core::Ids found;
  while (rows.step()) found.push_back(rows.integer(0));
  return found;
}

// Whether each candidate is on the page, or most are.
bool narrows(const EventFilter& filter) {
  return !filter.event_name.empty() || !filter.user_id.empty() || !filter.group_id.empty() ||
         !filter.error.empty() || filter.since || filter.until || filter.settled_since ||
         (!filter.destination.empty() && !filter.state) || filter.state == EventState::delivered;
}

// What `glance` has not decided.
bool lets_through(const EventFilter& filter, const EventSummary& event) {
  const auto fits = [](const std::string& wanted, const std::string& found) {
    return wanted.empty() || wanted == found;
  };
  const bool is_in_state = !filter.state || is_part_of(event.state, *filter.state);
  const bool is_settled_since =
      !filter.settled_since || (event.state != EventState::delivered && event.settled_at &&
                                *event.settled_at >= *filter.settled_since);
  return is_in_state && is_settled_since && fits(filter.destination, event.destination) &&
         fits(filter.event_name, event.event_name) && fits(filter.user_id, event.user_id) &&
         fits(filter.group_id, event.group_id) &&
         event.last_error.find(filter.error) != std::string::npos;
}

EventPage read_page(sqlite3* db, const EventFilter& filter, const ListOptions& options,
                    std::chrono::milliseconds time_max, core::Instant now) {
  constexpr std::chrono::milliseconds longest =
      std::chrono::hours{24};  // "for ever" would overflow
  const auto deadline = std::chrono::steady_clock::now() + std::min(time_max, longest);
  const std::size_t limit = std::max<std::size_t>(options.limit.value_or(limit_default), 1);
  const std::size_t look = narrows(filter) ? look_max : std::clamp(limit + 1, look_min, look_max);
  constexpr std::int64_t id_max = std::numeric_limits<std::int64_t>::max();
  const bool is_newest_first = options.order == Order::newest_first;
  std::int64_t after = options.after_id.value_or(is_newest_first ? id_max : 0);
  Candidates candidates{db, filter, options.order};
  EventPage page;
  for (;;) {
    const core::Ids ids = candidates.next(after, look);
    // Not before: ids do not ascend with time where a clock was set back.
    const bool is_last = ids.size() < look;
    page.looked_at += static_cast<std::int64_t>(ids.size());
    for (EventSummary& event :
         read_summaries(db, glance(db, filter, options.order, ids), options.order, now)) {
      if (page.events.size() == limit) {
        page.next_after_id = page.events.back().id;
        break;
      }
      if (lets_through(filter, event)) page.events.push_back(std::move(event));
    }
    if (page.next_after_id || is_last) break;
    after = ids.back();
    if (page.events.size() < limit && std::chrono::steady_clock::now() < deadline) continue;
    page.is_complete = page.events.size() == limit;
    page.next_after_id = after;
    break;
  }
  put_deliveries(db, page.events);
  return page;
}

}  // namespace
}  // namespace storage

inline namespace v1 {

EventPage browse_events(ConnectionRef connection, const EventFilter& filter,
                        const ListOptions& options, std::chrono::milliseconds time_max) {
  sqlite3* const db = storage::readable(connection, filter);
  return storage::while_busy([&] {
    const storage::ReadTransaction moment{db};
    return storage::read_page(db, filter, options, time_max, core::system_now());
  });
}

}  // namespace v1
}  // namespace outbox

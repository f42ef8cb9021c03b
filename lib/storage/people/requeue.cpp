// requeue: the request log says which events are delivered; what is in the queue again is taken out
// of it.

#include <algorithm>
#include <limits>
#include <optional>

#include "core/event/id_ranges.hpp"
#include "outbox/operate.hpp"
#include "storage/people/change.hpp"
#include "storage/people/selection.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr auto requeue_action = "requeue";
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();

// An event, and the request that delivered it.
struct Delivered {
  std::int64_t request = 0;
  std::int64_t id = 0;
};

std::int64_t ms_or(const std::optional<std::chrono::system_clock::time_point>& at,
                   std::int64_t otherwise) {
  if (!at) return otherwise;
  return std::chrono::ceil<std::chrono::milliseconds>(at->time_since_epoch()).count();
}

// Events with these fields whose payload is still there: scrubbed ones are {}.
std::string select_matching() {
  return "select e.id from main.outbox_events e where e.id between ?1 and ?2"
         " and e.payload <> '{}' and (?3 is null or " +
         field_sql("event_name") + " = ?3) and (?4 is null or " + field_sql("user_id") +
         " = ?4) and (?5 is null or " + field_sql("context.group_id") + " = ?5) order by e.id";
}

std::vector<Delivered> find_delivered(sqlite3* db, const Selection& selection) {
  const EventFilter& filter = selection.filter();
  std::vector<Delivered> found;
  if (!filter.error.empty() || filter.settled_since) return found;  // of dead ones only
  const core::Ids ids = distinct(selection.event_ids());
  const auto limit = static_cast<std::size_t>(
      std::min<std::uint64_t>(selection.limit().value_or(int64_max), int64_max));
  Statement requests{db,
                     "select id, delivered_ids from main.outbox_requests"
                     " where delivered_ids is not null and (?1 is null or destination = ?1)"
                     " and started_at_ms + took_ms >= ?2 and started_at_ms + took_ms < ?3"
                     " and first_id <= ?5 and last_id >= ?4 order by id",
                     requeue_action};
  requests.bind(1, text_or_null(filter.destination))
      .bind(2, ms_or(filter.since, 0))
      .bind(3, ms_or(filter.until, int64_max))
      .bind(4, ids.empty() ? 0 : ids.front())
      .bind(5, ids.empty() ? int64_max : ids.back());
  Statement events{db, select_matching(), requeue_action};
  events.bind(3, text_or_null(filter.event_name))
      .bind(4, text_or_null(filter.user_id))
      .bind(5, text_or_null(filter.group_id));
  while (found.size() < limit && requests.step()) {
    core::for_each_range(requests.text(1), [&](std::int64_t first, std::int64_t last) {
      const ResetAtEnd end{events};
      events.bind(1, first).bind(2, last);
      while (found.size() < limit && events.step()) {
        const std::int64_t id = events.integer(0);
        const bool is_named = ids.empty() || std::binary_search(ids.begin(), ids.end(), id);
        if (is_named) found.push_back({.request = requests.integer(0), .id = id});
      }
    });
  }
  return found;
}

// Those that are still delivered by the request by which they were chosen.
Tally requeue_chunk(sqlite3* db, const std::vector<Delivered>& chunk, core::Instant now) {
  constexpr std::size_t listed_max = 1'000'000;  // far above a request's size
  Statement read{db, "select delivered_ids from main.outbox_requests where id = ?1",
                 requeue_action};
  Statement write{db, "update main.outbox_requests set delivered_ids = ?2 where id = ?1",
                  requeue_action};
  Statement insert{db,
                   "insert into main.outbox_queue (destination, event, ordering_key,"
                   " enqueued_at_ms) select destination, id, ordering_key, ?2"
                   " from main.outbox_events where id = ?1 and payload <> '{}'"
                   " returning destination",
                   requeue_action};
  Tally tally;
  for (auto event = chunk.begin(); event != chunk.end();) {
    const std::int64_t request = event->request;
    core::Ids left;
    if (read.bind(1, request).step()) left = core::ids_in(read.text(0), listed_max);
    read.reset();
    for (; event != chunk.end() && event->request == request; ++event) {
      const auto at = std::lower_bound(left.begin(), left.end(), event->id);
      if (at == left.end() || *at != event->id) continue;
      if (insert.bind(1, event->id).bind(2, core::unix_ms(now)).step()) {
        Moved& moved = tally[insert.text(0)];
        ++moved.events;
        ++moved.were_delivered;
        left.erase(at);
      }
      insert.run();
    }
    const std::string ranges = core::ranges_text(left);
    write.bind(1, request).bind(2, text_or_null(ranges)).run();
  }
  return tally;
}

}  // namespace
}  // namespace storage

inline namespace v1 {

std::int64_t requeue(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                     Mode mode, const Progress& progress) {
  using namespace storage;
  require_selection(selection, requeue_action);
  names_of(selection, {EventState::delivered}, {EventState::delivered}, requeue_action);
  sqlite3* const db = connection.handle();
  const core::Instant now = core::system_now();  // `give_up_after` counts from here
  BulkChange bulk{db, note_of(requeue_action, selection, note), Probe::asked, progress};
  return bulk.run_all(
      while_busy([&] { return find_delivered(db, selection); }), mode,
      [&](const std::vector<Delivered>& chunk) { return requeue_chunk(db, chunk, now); });
}

}  // namespace v1
}  // namespace outbox

#include "storage/people/requests.hpp"

#include <algorithm>

#include "core/event/subject.hpp"
#include "core/stored_names.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto requests_action = "read the request log";

constexpr auto select_requests =
    "select id, destination, started_at_ms, took_ms, events, first_id, last_id, bytes, status,"
    " outcome, reason, response_id, warnings, parent, ids, delivered_ids"
    " from main.outbox_requests";

RequestSummary request_at(const Statement& row) {
  RequestSummary request{.id = row.integer(0),
                         .destination = row.text(1),
                         .started_at = core::instant_of(row.integer(2)),
                         .took = std::chrono::milliseconds{row.integer(3)},
                         .events = row.integer(4),
                         .first_id = row.integer(5),
                         .last_id = row.integer(6),
                         .bytes = row.integer(7),
                         .verdict = core::verdict_named(row.text(9)),
                         .reason = row.text(10),
                         .response_id = row.text(11),
                         .warnings = row.text(12)};
  if (!row.is_null(8)) request.status = static_cast<int>(row.integer(8));
  if (!row.is_null(13)) request.parent = row.integer(13);
  return request;
}

// Ids ascend with time, and so do requests: where the request that held `event` stands, unless it
// was tried again later.
std::int64_t likely_request(sqlite3* db, std::int64_t event) {
  std::int64_t first =
      query_integer(db, "select min(id) from main.outbox_requests", requests_action).value_or(0);
  std::int64_t last =
      query_integer(db, "select max(id) from main.outbox_requests", requests_action).value_or(0);
  Statement at{db,
               "select id, last_id from main.outbox_requests where id >= ?1 order by id limit 1",
               requests_action};
  while (first < last) {
    const std::int64_t middle = first + (last - first) / 2;
    const ResetAtEnd end{at};
    if (at.bind(1, middle).step() && at.integer(1) < event) {
      first = at.integer(0) + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

}  // namespace

std::vector<RequestSummary> read_requests(sqlite3* db, const std::string& destination,
                                          std::size_t limit) {
  Statement rows{db,
                 std::string{select_requests} +
                     " where ?1 is null or destination = ?1 order by id desc limit ?2",
                 requests_action};
  rows.bind(1, text_or_null(destination)).bind(2, static_cast<std::int64_t>(limit));
  std::vector<RequestSummary> requests;
  while (rows.step()) requests.push_back(request_at(rows));
  return requests;
}

History history_of(sqlite3* db, const EventSummary& event) {
  Statement rows{
      db, std::string{select_requests} + " where first_id <= ?1 and last_id >= ?1 order by id",
      requests_action};
  rows.bind(1, event.id);  // of any destination: the event may have been moved
  History history;
  while (rows.step()) {
    if (!core::ranges_contain(rows.text(14), event.id)) continue;
    history.requests.push_back(request_at(rows));
    if (rows.is_null(15) || !core::ranges_contain(rows.text(15), event.id)) continue;
    history.delivered_at = core::instant_of(rows.integer(2) + rows.integer(3));
  }
  return history;
}

// From where they should be, in both directions, until each is found: an event is in what one
// request delivered, or in none.
std::map<std::int64_t, core::Instant> deliveries_of(sqlite3* db, const core::Ids& ids) {
  std::map<std::int64_t, core::Instant> found;
  if (ids.empty()) return found;
  const auto rows_in = [db](const char* where_and_order) {
    return Statement{db,
                     std::string{"select first_id, last_id, delivered_ids, started_at_ms + took_ms"
                                 " from main.outbox_requests where delivered_ids is not null"} +
                         where_and_order,
                     requests_action};
  };
  const auto look = [&](Statement& rows) {
    if (!rows.step()) return false;
    if (rows.integer(0) > ids.back() || rows.integer(1) < ids.front()) return true;
    core::for_each_range(rows.text(2), [&](std::int64_t first, std::int64_t last) {
      auto id = std::lower_bound(ids.begin(), ids.end(), first);
      for (; id != ids.end() && *id <= last; ++id) found[*id] = core::instant_of(rows.integer(3));
    });
    return true;
  };
  const std::int64_t start = likely_request(db, ids[ids.size() / 2]);
  Statement later = rows_in(" and id >= ?1 order by id");
  Statement earlier = rows_in(" and id < ?1 order by id desc");
  later.bind(1, start);
  earlier.bind(1, start);
  for (bool has_later = true, has_earlier = true;
       (has_later || has_earlier) && found.size() < ids.size();) {
    has_later = has_later && look(later);
    has_earlier = has_earlier && look(earlier);
  }
  return found;
}

core::Ids requests_about(sqlite3* db, const Subject* subject) {
  Statement requests{db,
                     "select id, ids, coalesce(reason, '') || ' ' || coalesce(warnings, '') || ' '"
                     " || coalesce(response_id, '') from main.outbox_requests"
                     " where coalesce(reason, warnings, response_id) is not null order by id",
                     requests_action};
  Statement stored{db, "select count(*) from main.outbox_events where id between ?1 and ?2",
                   requests_action};
  core::Ids found;
  while (requests.step()) {
    bool is_whole = subject != nullptr;
    core::for_each_range(requests.text(1), [&](std::int64_t first, std::int64_t last) {
      const ResetAtEnd end{stored};
      stored.bind(1, first).bind(2, last).step();
      is_whole = is_whole && stored.integer(0) == last - first + 1;
    });
    if (!is_whole || core::names_subject(requests.text(2), *subject)) {
      found.push_back(requests.integer(0));
    }
  }
  return found;
}

}  // namespace outbox::storage

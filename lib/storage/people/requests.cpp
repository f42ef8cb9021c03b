#include "storage/people/requests.hpp"

#include <algorithm>

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

// Calls `see` with a request and each of `ids` that `column` of it holds. The row has the request's
// id, and when it ended. Requires: `ids` ascend.
template <class See>
void for_each_held(sqlite3* db, const char* column, const core::Ids& ids, See see) {
  if (ids.empty()) return;
  std::string sql{"select id, started_at_ms + took_ms, "};
  sql += column;
  sql += " from main.outbox_requests where first_id <= ?2 and last_id >= ?1 order by id";
  Statement rows{db, sql, requests_action};
  rows.bind(1, ids.front()).bind(2, ids.back());
  while (rows.step()) {
    core::for_each_range(rows.text(2), [&](std::int64_t first, std::int64_t last) {
      auto id = std::lower_bound(ids.begin(), ids.end(), first);
      for (; id != ids.end() && *id <= last; ++id) see(rows, *id);
    });
  }
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

std::map<std::int64_t, core::Instant> deliveries_of(sqlite3* db, const core::Ids& ids) {
  std::map<std::int64_t, core::Instant> deliveries;
  for_each_held(db, "delivered_ids", ids, [&](const Statement& request, std::int64_t id) {
    deliveries[id] = core::instant_of(request.integer(1));
  });
  return deliveries;
}

core::Ids requests_about_removed(sqlite3* db) {
  Statement requests{db,
                     "select id, ids from main.outbox_requests where coalesce(reason, warnings,"
                     " response_id) is not null order by id",
                     requests_action};
  Statement stored{db, "select count(*) from main.outbox_events where id between ?1 and ?2",
                   requests_action};
  core::Ids found;
  while (requests.step()) {
    bool is_whole = true;
    core::for_each_range(requests.text(1), [&](std::int64_t first, std::int64_t last) {
      const ResetAtEnd end{stored};
      stored.bind(1, first).bind(2, last).step();
      is_whole = is_whole && stored.integer(0) == last - first + 1;
    });
    if (!is_whole) found.push_back(requests.integer(0));
  }
  return found;
}

}  // namespace outbox::storage

#include <doctest/doctest.h>

#include <set>

#include "core/clock.hpp"
#include "outbox/browse.hpp"
#include "storage/people/requests.hpp"
#include "support/database.hpp"
#include "support/steps.hpp"

namespace {

using namespace std::chrono_literals;

std::vector<std::int64_t> ids_of(const std::vector<outbox::EventSummary>& events) {
  std::vector<std::int64_t> ids;
  for (const outbox::EventSummary& event : events) ids.push_back(event.id);
  return ids;
}

std::string text_of(const std::vector<std::int64_t>& ids) {
  std::string text;
  for (const std::int64_t id : ids) text += std::to_string(id) + " ";
  return text;
}

// All pages of a filter, one after the other.
std::vector<std::int64_t> browsed(support::AppDatabase& app, const outbox::EventFilter& filter,
                                  outbox::ListOptions options = {},
                                  std::chrono::milliseconds patience = 1min) {
  std::vector<std::int64_t> ids;
  for (int pages = 0; pages < 10'000; ++pages) {
    const auto page = outbox::browse_events(app.db(), filter, options, patience);
    for (const std::int64_t id : ids_of(page.events)) ids.push_back(id);
    if (!page.next_after_id) return ids;
    options.after_id = page.next_after_id;
  }
  FAIL("the pages never end");
  return ids;
}

// Every state, two destinations, and some that are due later.
void fill(support::AppDatabase& app) {
  app.enqueue_many(40);
  app.enqueue_many(20, {.destination = "crm"});
  app.enqueue_many(10, {.not_before = std::chrono::system_clock::now() + 1h});
  app.enqueue_many(5, {.ordering_key = "k"});
  app.db().exec(
      "update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 900, last_error = 'HTTP "
      "400'"
      " where event % 7 = 1 and destination = 'track' and due_at_ms = 0");
  app.db().exec(
      "update outbox_queue set state = 3, refusals = 2, due_at_ms = 4000000000000, last_error = "
      "'HTTP 500' where event % 7 = 2 and destination = 'track' and due_at_ms = 0");
  app.db().exec(
      "update outbox_queue set state = 5, settled_at_ms = 900 where event % 7 = 3"
      " and due_at_ms = 0");
  app.mark_delivered(4, 5);
}

}  // namespace

TEST_CASE("pages are the list, in either order, for every filter and every size") {
  using outbox::EventState;
  support::AppDatabase app;
  fill(app);
  const outbox::EventFilter filters[] = {
      {},
      {.destination = "crm"},
      {.state = EventState::pending},
      {.state = EventState::scheduled},
      {.state = EventState::retrying},
      {.state = EventState::dead},
      {.state = EventState::discarded},
      {.state = EventState::delivered},
      {.destination = "track", .state = EventState::dead},
      {.user_id = "user-3"},
      {.error = "HTTP"},
      {.error = "500"},
      {.since = std::chrono::system_clock::now() - 1h},
      {.since = std::chrono::system_clock::now() + 2h},
      {.settled_since = std::chrono::system_clock::time_point{800ms}},
  };
  for (std::size_t i = 0; i < std::size(filters); ++i) {
    for (const auto order : {outbox::Order::oldest_first, outbox::Order::newest_first}) {
      CAPTURE(i);
      CAPTURE(static_cast<int>(order));
      const auto expected = ids_of(outbox::list_events(app.db(), filters[i], {.order = order}));
      for (const std::size_t limit : {1, 3, 7, 200}) {
        CAPTURE(limit);
        const auto found = browsed(app, filters[i], {.limit = limit, .order = order});
        CHECK(text_of(found) == text_of(expected));
      }
    }
  }
}

TEST_CASE("ids that are numbers in the payload are found by their text") {
  support::AppDatabase app;
  app.insert(R"({"user_id":42,"event_name":"seen","context":{"group_id":7}})");
  app.insert(R"({"user_id":true,"event_name":"seen","context":{"group_id":[7]}})");
  app.insert(R"({"user_id":"42 ","event_name":"seen","context":{"group_id":"07"}})");

  for (const outbox::EventFilter& filter :
       {outbox::EventFilter{.user_id = "42"}, outbox::EventFilter{.group_id = "7"}}) {
    CHECK(ids_of(outbox::list_events(app.db(), filter)) == std::vector<std::int64_t>{1});
    CHECK(browsed(app, filter) == std::vector<std::int64_t>{1});
    app.mark_delivered(1, 1);
    CHECK(outbox::requeue(app.db(), outbox::Selection::matching(filter)) == 1);
  }
  CHECK(outbox::list_events(app.db(), {.user_id = "1"}).empty());  // `true` is a 1 to SQLite
}

TEST_CASE("without time a page stops after one look, says so, and the next goes on") {
  support::AppDatabase app;
  app.enqueue_many(9'000);
  const outbox::EventFilter filter{.user_id = "user-0"};
  const outbox::ListOptions options{.order = outbox::Order::newest_first};
  const auto page = outbox::browse_events(app.db(), filter, options, 0ms);
  CHECK_FALSE(page.is_complete);
  CHECK(page.events.empty());
  CHECK(page.looked_at > 0);
  CHECK(page.looked_at < 9'000);
  REQUIRE(page.next_after_id);
  CHECK(*page.next_after_id == 9'001 - page.looked_at);
  CHECK(browsed(app, filter, options, 0ms) == std::vector<std::int64_t>{1});
}

TEST_CASE("newest first, what was stored before the clock was set back is on a page") {
  support::AppDatabase app;
  app.enqueue_many(9'000);
  app.db().exec("update outbox_events set enqueued_at_ms = 1000 where id between 100 and 8899");
  const auto page =
      outbox::browse_events(app.db(), {.since = std::chrono::system_clock::now() - 1h},
                            {.limit = 300, .order = outbox::Order::newest_first}, 1min);
  CHECK(page.events.size() == 101 + 99);
  CHECK(page.is_complete);
  CHECK_FALSE(page.next_after_id);
}

TEST_CASE("all looks of a page sort the scheduled events once") {
  support::AppDatabase app;
  const auto tomorrow = std::chrono::system_clock::now() + 24h;
  app.enqueue_many(10'000, {.not_before = tomorrow});
  const auto steps_to = [&app](std::int64_t looks) {
    const outbox::EventFilter filter{.state = outbox::EventState::scheduled, .user_id = "nobody"};
    const outbox::ListOptions options{.after_id = 10'000 - 1'000 * looks};
    return support::steps_of(app.db().getHandle(), [&] {
      CHECK(outbox::browse_events(app.db(), filter, options, 1min).events.empty());
    });
  };
  // The others read their own events alone.
  CHECK(steps_to(10) < 5 * steps_to(1));
}

TEST_CASE("a delivered event of a page says when it was delivered") {
  support::AppDatabase app;
  app.enqueue_many(3);
  app.mark_delivered(1, 2, 5'000);
  const auto page = outbox::browse_events(app.db(), {.state = outbox::EventState::delivered});
  REQUIRE(page.events.size() == 2);
  CHECK(page.events[0].settled_at == std::chrono::system_clock::time_point{5'000ms});
}

TEST_CASE("a delivery is looked for where it should be, and found wherever it is") {
  support::AppDatabase app;
  app.enqueue_many(20'000);
  // As `mark_delivered(id, id + 1, id)` for each second id from 2 on, in one transaction.
  app.db().exec(
      "begin; delete from outbox_queue where event between 2 and 19999;"
      "with recursive n(id) as (select 2 union all select id + 2 from n where id < 19998)"
      " insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, delivered_ids, bytes, status, outcome) select 'track', id, 0, 2, id, id + 1,"
      " id || '-' || (id + 1), id || '-' || (id + 1), 9, 200, 'delivered' from n;"
      "insert into outbox_destinations (name, requests_total, delivered, delivered_total)"
      " values ('track', 9999, 19998, 19998)"
      " on conflict (name) do update set requests_total = 9999, delivered = 19998,"
      " delivered_total = 19998; commit");
  app.mark_delivered(1, 1, 77);                                   // after all others
  app.db().exec("delete from outbox_queue where event = 20000");  // no request delivered it
  const auto settled = [&](std::int64_t id) {
    const auto page = outbox::browse_events(app.db(), {.state = outbox::EventState::delivered},
                                            {.limit = 1, .after_id = id - 1});
    REQUIRE(page.events.size() == 1);
    REQUIRE(page.events[0].id == id);
    return page.events[0].settled_at;
  };
  const auto moment = [](std::int64_t ms) {
    return std::chrono::system_clock::time_point{std::chrono::milliseconds{ms}};
  };
  CHECK(settled(1) == moment(77));
  CHECK(settled(2) == moment(2));
  CHECK(settled(19'999) == moment(19'998));
  CHECK_FALSE(settled(20'000));
  for (const std::int64_t id : {2, 9'001, 19'999}) {
    CAPTURE(id);
    CHECK(support::steps_of(app.db().getHandle(), [&] {
            CHECK(outbox::storage::deliveries_of(app.db().getHandle(), {id}).size() == 1);
          }) < 1'000);
  }
}

TEST_CASE("traffic sorts requests by when they ended, and tells how long they took") {
  support::AppDatabase app;
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  SQLite::Statement insert{
      app.db(),
      "insert into outbox_requests (destination, started_at_ms, took_ms, events,"
      " first_id, last_id, ids, bytes, outcome) values (?, ?, ?, ?, 1, 1, '1', 2,"
      " ?)"};
  const auto add = [&](const char* destination, std::int64_t ago_ms, std::int64_t took_ms,
                       std::int64_t events, const char* outcome) {
    insert.reset();
    insert.bind(1, destination);
    insert.bind(2, now_ms - ago_ms - took_ms);
    insert.bind(3, took_ms);
    insert.bind(4, events);
    insert.bind(5, outcome);
    insert.exec();
  };
  add("track", 3 * 3'600'000, 1, 500, "delivered");  // before the window
  add("track", 90'000, 10, 100, "delivered");
  add("track", 89'000, 30, 50, "delivered");
  add("track", 88'000, 5, 50, "refused");
  add("crm", 87'000, 7, 9, "delivered");
  add("track", 30'000, 900, 1, "unavailable");
  const auto traffic = outbox::traffic(app.db(), {.destination = "track"});
  REQUIRE(traffic.slots.size() == 60);
  CHECK(traffic.is_complete);
  std::int64_t delivered = 0;
  std::int64_t refused = 0;
  std::int64_t failed = 0;
  std::int64_t events = 0;
  for (const auto& slot : traffic.slots) {
    delivered += slot.delivered;
    refused += slot.refused;
    failed += slot.failed;
    events += slot.events;
  }
  CHECK(delivered == 2);
  CHECK(refused == 1);
  CHECK(failed == 1);
  CHECK(events == 150);
  CHECK(traffic.slots.back().took_p95 == 900ms);
  const auto hour = outbox::traffic(app.db(), {.slot = 1h});
  REQUIRE(hour.slots.size() == 1);
  CHECK(hour.slots[0].delivered == 3);
  CHECK(hour.slots[0].took_p50 == 10ms);
}

TEST_CASE("a window is whole slots, and not too many") {
  support::AppDatabase app;
  for (const auto& options : {outbox::TrafficOptions{.window = 0s},
                              {.slot = 0ms},
                              {.slot = 7min},
                              {.window = 1h, .slot = 1s},
                              {.window = -1h}}) {
    CHECK_THROWS_AS(outbox::traffic(app.db(), options), std::invalid_argument);
  }
}

TEST_CASE("all the patience there is does not end a list at once") {
  support::AppDatabase app;
  app.enqueue_many(3);
  const auto page = outbox::browse_events(app.db(), {}, {}, std::chrono::milliseconds::max());
  CHECK(page.events.size() == 3);
  CHECK(page.is_complete);
}

TEST_CASE("traffic goes on behind a request that was recorded while a clock was behind") {
  support::AppDatabase app;
  const auto now_ms = std::to_string(outbox::core::unix_ms(outbox::core::system_now()));
  for (const char* ago : {"5000", "4000", "7200000", "1000"}) {
    app.db().exec(
        "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
        " last_id, ids, bytes, outcome) values ('track', " +
        now_ms + " - " + ago + ", 1, 1, 1, 1, '1', 9, 'delivered')");
  }
  const outbox::Traffic traffic = outbox::traffic(app.db(), {.window = std::chrono::hours{1}});
  std::int64_t delivered = 0;
  for (const auto& slot : traffic.slots) delivered += slot.delivered;
  CHECK(delivered == 3);
  CHECK(traffic.is_complete);
}

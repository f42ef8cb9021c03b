#include "storage/life/retention.hpp"

#include <doctest/doctest.h>

#include "storage/life/table.hpp"

using outbox::core::Ids;
using outbox::core::Instant;
using std::chrono::milliseconds;
using support::Table;

namespace {

Instant at(std::int64_t ms) {
  return Instant{milliseconds{ms}};
}
const Instant now = at(10'000'000);

// Adds `events` and delivers them in one request that ends at `ended_ms`, 10 ms after its start.
void deliver_at(Table& table, int events, std::int64_t ended_ms) {
  table.add_many(events);
  outbox::storage::Take take = table.take(static_cast<std::size_t>(events));
  outbox::core::SentBatch sent = Table::delivery_of(Table::ids_of(take));
  sent.started = at(ended_ms - 10);
  sent.outcome.took = milliseconds{10};
  table.record({.requests = {sent}});
  take.taken.settle();
}

std::int64_t events_in(Table& table) {
  return table.number("select count(*) from outbox_events");
}

std::int64_t requests_in(Table& table) {
  return table.number("select count(*) from outbox_requests");
}

}  // namespace

TEST_CASE("what was delivered before a moment leaves the log with its request, and is counted") {
  Table table;
  for (const int ended : {100'000, 200'000, 300'000}) deliver_at(table, 2, ended);
  table.add();

  CHECK(table.store.old_requests.count(at(250'000), now) == 4);
  CHECK(table.store.prune(at(250'000), now));

  CHECK(table.app.text("select group_concat(id) from outbox_events") == "5,6,7");
  CHECK(table.app.text("select group_concat(id) from outbox_requests") == "3");
  CHECK(table.destination("delivered") == 2);
  CHECK(table.destination("removed") == 4);
  CHECK(table.destination("delivered_total") == 6);
  CHECK(table.store.old_requests.find(at(250'000), now).empty());
}

TEST_CASE("what counts is when a request ended") {
  Table table;
  deliver_at(table, 1, 200'000);
  table.add();
  CHECK(table.store.old_requests.find(at(199'995), now).empty());
  CHECK(table.store.old_requests.find(at(199'999), now).empty());
  CHECK_FALSE(table.store.old_requests.find(at(200'000), now).empty());
}

TEST_CASE("the newest request stays without its events, so that no request has its id again") {
  Table table;
  deliver_at(table, 2, 100'000);
  deliver_at(table, 2, 200'000);

  CHECK(table.store.prune(at(900'000), now));

  CHECK(events_in(table) == 0);
  CHECK(table.app.text("select id || coalesce(delivered_ids, ' none') from outbox_requests") ==
        "2 none");
  CHECK(table.destination("removed") == 4);
  CHECK(table.store.prune(at(900'000), now));
  CHECK(table.destination("removed") == 4);

  deliver_at(table, 1, 300'000);
  CHECK(table.number("select max(id) from outbox_requests") == 3);
}

TEST_CASE("an event that is requeued is never removed, and is removed after it was sent again") {
  Table table;
  deliver_at(table, 3, 100'000);
  // As a requeue does: the request no longer says that it delivered the event.
  table.person.exec(
      "begin immediate; update outbox_requests set delivered_ids = '1,3';"
      " insert into outbox_queue (destination, event, enqueued_at_ms)"
      " select destination, id, enqueued_at_ms from outbox_events where id = 2;"
      " update outbox_destinations set delivered = delivered - 1; commit");

  CHECK(table.store.prune(at(900'000), now));
  CHECK(table.app.text("select group_concat(id) from outbox_events") == "2");
  CHECK(table.state_of(2) == "ready");
  CHECK(table.destination("removed") == 2);

  table.deliver(1);
  CHECK(table.store.prune(at(9'000'000), now));
  CHECK(events_in(table) == 0);
  CHECK(table.destination("delivered") == 0);
}

TEST_CASE("one step removes some hundred events, whole requests, and says whether all is done") {
  Table table;
  for (int i = 0; i < 12; ++i) deliver_at(table, 100, 100'000 + i);
  CHECK_FALSE(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 700);
  CHECK_FALSE(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 200);
  CHECK(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 0);
}

TEST_CASE("one step removes a limited number of requests, however few events they had") {
  Table table;
  for (int i = 0; i < 150; ++i) deliver_at(table, 1, 100'000 + i);
  CHECK_FALSE(table.store.prune(at(900'000), now));
  CHECK(requests_in(table) == 50);
  CHECK(table.store.prune(at(900'000), now));
  CHECK(requests_in(table) == 1);
}

TEST_CASE("one step removes a limited number of bytes, which are overwritten") {
  Table table;
  for (int i = 0; i < 10; ++i) deliver_at(table, 1, 100'000 + i);
  table.app.db().exec("update outbox_requests set bytes = 900000");
  CHECK_FALSE(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 7);
}

TEST_CASE("requests that delivered nothing, and those of others, are not retention's") {
  Table table;
  table.add();
  {
    const auto take = table.take(1);
    table.record({.requests = {{.ids = {1}, .started = at(100'000)}}});
  }
  table.app.db().exec(
      "insert into outbox_events (payload, destination) values ('{}', 'other');"
      " delete from outbox_queue where event = 2;"
      " insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, "
      "last_id,"
      " ids, delivered_ids, bytes, outcome) values ('other', 1, 1, 1, 2, 2, '2', '2', 2, "
      "'delivered')");
  CHECK(table.store.old_requests.find(at(900'000), now).empty());
  CHECK(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 2);
  CHECK(requests_in(table) == 2);
}

TEST_CASE("a request from the future, by a clock that jumped, does not keep the ones behind it") {
  Table table;
  deliver_at(table, 1, 9'000'000);
  deliver_at(table, 1, 100'000);
  deliver_at(table, 1, 800'000);

  CHECK(table.store.prune(at(200'000), now));

  CHECK(table.app.text("select group_concat(id) from outbox_events") == "1,3");
}

TEST_CASE("looking for what is old does not read all that is young") {
  Table table;
  table.app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)"
      " insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, "
      "last_id,"
      " ids, delivered_ids, bytes, outcome)"
      " select 'track', 500000 + i, 0, 1, i, i, i, i, 2, 'delivered' from n");
  CHECK(support::steps_of(table.handle(), [&] {
          CHECK(table.store.old_requests.find(at(400'000), now).empty());
        }) < 10'000);
}

TEST_CASE("requests of a time when the clock was ahead do not keep those behind them") {
  Table table;
  for (int i = 0; i < 150; ++i) deliver_at(table, 1, 99'000'000'000 + i);
  for (int i = 0; i < 5; ++i) deliver_at(table, 1, 100'000 + i);
  deliver_at(table, 1, 9'000'000);

  CHECK(table.store.old_requests.count(at(900'000), now) == 5);
  CHECK(table.store.prune(at(900'000), now));

  CHECK(events_in(table) == 151);
  CHECK_FALSE(table.store.prune(at(99'500'000'000), at(99'900'000'000)));
  CHECK(table.store.prune(at(99'500'000'000), at(99'900'000'000)));
  CHECK(events_in(table) == 0);
}

TEST_CASE("the requests of other destinations are passed once, and tell when the rest is young") {
  Table table;
  const auto add_foreign = [&](int count, std::int64_t ended_ms) {
    table.person.exec(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < " +
        std::to_string(count) +
        ") insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
        " last_id, ids, delivered_ids, bytes, outcome) select 'hook', " +
        std::to_string(ended_ms) + ", 0, 1, 1, 1, '1', '1', 1, 'delivered' from n");
  };
  const auto steps = [&](std::int64_t before_ms) {
    return support::steps_of(table.handle(),
                             [&] { table.store.old_requests.find(at(before_ms), now); });
  };
  add_foreign(2'000, 100'000);
  CHECK(steps(900'000) > 4'000);
  CHECK(steps(900'000) < 1'000);

  deliver_at(table, 1, 200'000);
  add_foreign(2'000, 950'000);
  CHECK(steps(900'000) < 2'500);  // 100 young ones are enough
  CHECK(table.store.old_requests.find(at(900'000), now) == Ids{2'001});
  CHECK(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 0);
  CHECK(requests_in(table) == 4'000);
}

TEST_CASE("a backup that was restored into the file brings lower requests back") {
  Table table;
  for (int i = 0; i < 5; ++i) deliver_at(table, 1, 100'000 + i);
  CHECK(table.store.prune(at(900'000), now));
  CHECK(events_in(table) == 0);
  table.person.exec("delete from outbox_requests");
  deliver_at(table, 1, 100'000);
  deliver_at(table, 1, 100'001);
  CHECK(requests_in(table) == 2);

  CHECK(table.store.prune(at(900'000), now));

  CHECK(events_in(table) == 0);
}

TEST_CASE("a removal that a trigger of the host's ignores is an error, and the request stays") {
  Table table;
  deliver_at(table, 3, 100'000);
  table.add();
  table.app.db().exec(
      "create trigger keep before delete on outbox_events when old.id = 2"
      " begin select raise(ignore); end");

  CHECK_THROWS_WITH_AS(table.store.prune(at(250'000), now), doctest::Contains("of event 2"),
                       outbox::database_error);

  CHECK(table.app.text("select group_concat(id) from outbox_events") == "1,2,3,4");
  CHECK(table.app.text("select delivered_ids from outbox_requests") == "1-3");
}

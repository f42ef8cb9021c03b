#include <doctest/doctest.h>

#include "storage/store.hpp"
#include "support/database.hpp"

using namespace outbox::core;
using outbox::storage::Store;

namespace {

constexpr Instant now{std::chrono::milliseconds{1'000'000}};

struct Table {
  Table() { store.serve("endpoint", now); }
  std::int64_t number(const std::string& column) {
    return app.db().execAndGet("select " + column + " from outbox_destinations").getInt64();
  }
  support::AppDatabase app;
  Store store{app.db().getHandle(), "track"};
};

}  // namespace

TEST_CASE("delivered events are marked, counted and logged in one transaction") {
  Table table;
  table.app.enqueue_many(3);

  table.store.record({.delivered = {1, 2},
                      .attempts = {{.ids = {1, 2},
                                    .bytes = 200,
                                    .started = now,
                                    .took = std::chrono::milliseconds{7},
                                    .status = 200,
                                    .outcome = {.verdict = Verdict::delivered,
                                                .response_id = "r-1",
                                                .warnings = "[\"w\"]"}}}},
                     now);

  CHECK(table.app.count("state = 1 and settled_at_ms = 1000000") == 2);
  CHECK(table.number("delivered") == 2);
  CHECK(table.number("delivered_total") == 2);
  CHECK(table.number("requests_total") == 1);
  CHECK(table.app.text(
            "select ids || ' ' || events || ' ' || bytes || ' ' || status || ' ' || outcome"
            " || ' ' || took_ms || ' ' || response_id || ' ' || warnings"
            " from outbox_batches") == "1-2 2 200 200 delivered 7 r-1 [\"w\"]");
}

TEST_CASE("an event that a person has settled meanwhile stays as that person wants it") {
  Table table;
  table.app.enqueue_many(2);
  table.app.db().exec("update outbox_events set state = 3 where id = 1");

  table.store.record({.delivered = {1, 2}}, now);

  CHECK(table.app.count("id = 1 and state = 3") == 1);
  CHECK(table.number("delivered") == 1);
}

TEST_CASE("an event that cannot be sent is dead with its reason") {
  Table table;
  table.app.enqueue_many(1);
  table.store.record({.dead = {{1, "unsendable: user_id: required"}}}, now);
  CHECK(table.app.count("state = 2 and last_error = 'unsendable: user_id: required'") == 1);
}

TEST_CASE("a hold is remembered by the next dispatcher, and lifted by a delivery") {
  Table table;
  const HoldState hold{.kind = "backing_off",
                       .reason = "HTTP 503",
                       .since = now,
                       .until = now + std::chrono::seconds{9},
                       .tries = 3};
  table.store.record({.hold = hold, .changes_hold = true}, now);
  CHECK(Store{table.app.db().getHandle(), "track"}.destination().hold == hold);

  table.store.record({.changes_hold = true}, now);
  CHECK_FALSE(table.store.destination().hold);
}

TEST_CASE("a hold belongs to its endpoint: the same one keeps it, another one lifts it") {
  Table table;
  table.store.record(
      {.hold = HoldState{.kind = "backing_off", .reason = "HTTP 503"}, .changes_hold = true}, now);
  table.store.serve("endpoint", now);
  CHECK(table.store.destination().hold);
  table.store.serve("another", now);
  CHECK_FALSE(table.store.destination().hold);
}

TEST_CASE("a pause is a person's, and a hold stays under it") {
  Table table;
  table.store.record(
      {.hold = HoldState{.kind = "backing_off", .reason = "HTTP 503"}, .changes_hold = true}, now);
  outbox::pause(table.app.db(), "track", "maintenance");
  CHECK(table.store.destination().is_paused);
  outbox::resume(table.app.db(), "track");
  CHECK_FALSE(table.store.destination().is_paused);
  CHECK(table.store.destination().hold);
}

TEST_CASE("the batch log is bounded, but keeps the batches that are in doubt") {
  Table table;
  table.app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10050)"
      " insert into outbox_batches (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, bytes, outcome, doubt) select 'track', 0, 0, 1, 1, 1, '1', 2, 'refused',"
      " iif(i = 5, '1', null) from n");
  table.app.enqueue_many(1);
  table.store.record({.attempts = {{.ids = {1}}}}, now);
  CHECK(table.app.db().execAndGet("select count(*) from outbox_batches").getInt() == 10'001);
  CHECK(table.app.db().execAndGet("select count(*) from outbox_batches where id = 5").getInt() ==
        1);
}

#include <doctest/doctest.h>

#include "storage/store.hpp"
#include "support/database.hpp"

using namespace outbox::core;
using outbox::Verdict;
using outbox::storage::Store;

namespace {

constexpr Instant now{std::chrono::milliseconds{1'000'000}};

struct Table {
  Table() { store.serve({"endpoint"}, now); }
  std::int64_t number(const std::string& column) {
    return app.db().execAndGet("select " + column + " from outbox_destinations").getInt64();
  }
  void hold() {
    store.record({.stance = {.hold = HoldState{.kind = "backing_off", .reason = "HTTP 503"}},
                  .changes_stance = true},
                 now);
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

TEST_CASE("an event that a person has erased, or has sent again, meanwhile is not marked twice") {
  Table table;
  table.app.enqueue_many(3);
  table.app.db().exec(
      "delete from outbox_events where id = 1; update outbox_events set state = 1 where id = 2");

  table.store.record({.delivered = {1, 2, 3}}, now);

  CHECK(table.app.count("state = 1") == 2);
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
  const Stance stance{
      .hold = hold, .events_cap = 4, .bytes_cap = 50'000, .suspects = 3, .is_proven = false};
  table.store.record({.stance = stance, .changes_stance = true}, now);
  CHECK(Store{table.app.db().getHandle(), "track"}.destination().stance == stance);

  table.store.record({.changes_stance = true}, now);
  CHECK(table.store.destination().stance == Stance{});
}

TEST_CASE("a hold belongs to its endpoint: the same one keeps it, another one lifts it") {
  Table table;
  table.hold();
  table.store.serve({"endpoint"}, now);
  CHECK(table.store.destination().stance.hold);
  table.store.serve({"another"}, now);
  CHECK_FALSE(table.store.destination().stance.hold);
}

TEST_CASE("a pause is a person's, and a hold stays under it") {
  Table table;
  table.hold();
  outbox::pause(table.app.db(), "track", "maintenance");
  CHECK(table.store.destination().is_paused);
  outbox::resume(table.app.db(), "track");
  CHECK_FALSE(table.store.destination().is_paused);
  CHECK(table.store.destination().stance.hold);
}

TEST_CASE("the batch log is bounded, but keeps the batches that are in doubt") {
  Table table;
  table.app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10199)"
      " insert into outbox_batches (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, bytes, outcome, doubt) select 'track', 0, 0, 1, 1, 1, '1', 2, 'refused',"
      " iif(i = 5, '1', null) from n");
  table.app.enqueue_many(1);
  table.store.record({.attempts = {{.ids = {1}}}}, now);
  CHECK(table.app.db().execAndGet("select count(*) from outbox_batches").getInt() == 10'001);
  CHECK(table.app.db().execAndGet("select count(*) from outbox_batches where id = 5").getInt() ==
        1);
}

TEST_CASE("a changed URL is asked with one event first, and the first one ever is trusted") {
  Table table;
  CHECK(table.store.destination().stance.is_proven);
  table.store.serve({"another"}, now);
  CHECK_FALSE(table.store.destination().stance.is_proven);
}

TEST_CASE("a search lives in the row of the batch that began it, until it is through") {
  Table table;
  table.app.enqueue_many(4);
  table.store.record({.attempts = {{.ids = {1, 2, 3, 4}, .doubt = Doubt::parse("1-2+3-4")}}}, now);

  auto searches = table.store.destination().searches;
  REQUIRE(searches.size() == 1);
  CHECK(searches[0].doubt.text() == "1-2+3-4");

  table.store.record({.attempts = {{.ids = {1, 2}, .search = searches[0].batch}},
                      .searches = {{searches[0].batch, Doubt::parse("3+4")}}},
                     now);
  CHECK(table.store.destination().searches.at(0).doubt.text() == "3+4");
  CHECK(table.app.text("select parent from outbox_batches where id = 2") == "1");

  table.store.record({.searches = {{searches[0].batch, {}}}}, now);
  CHECK(table.store.destination().searches.empty());
}

TEST_CASE("a suspect is pending, counted, and waits for its own time") {
  Table table;
  table.app.enqueue_many(1);
  table.store.record({.suspects = {{.id = 1,
                                    .suspicion = {.attempts = 2, .lonely_failures = 1},
                                    .attempt = 0,
                                    .due = now + std::chrono::seconds{5},
                                    .reason = "HTTP 400"}},
                      .attempts = {{.ids = {1}}}},
                     now);
  CHECK(table.app.count("state = 0 and attempts = 2 and lonely_failures = 1 and suspect_batch = 1"
                        " and due_at_ms = 1005000 and last_error = 'HTTP 400'") == 1);
  CHECK(table.store.suspect_count(now) == 1);
  CHECK(table.store.due_count(now) == 0);
}

TEST_CASE("an event that is discarded while it is under way is delivered when it has arrived") {
  Table table;
  table.app.enqueue_many(2);
  outbox::discard(table.app.db(), {.ids = {1, 2}}, {"test", "too late"});
  table.store.record({.delivered = {1}, .dead = {{2, "refused"}}}, now);
  CHECK(table.app.text("select group_concat(state) from outbox_events") == "1,3");
  CHECK(outbox::retry(table.app.db(), {.all = true}) == 0);
}

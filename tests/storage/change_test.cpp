// retry, discard, requeue, prune: what changes, what does not, and what the audit says.

#include <doctest/doctest.h>

#include "support/database.hpp"

using outbox::Run;
using outbox::Selection;

namespace {

constexpr auto far_away = std::chrono::hours{24 * 365};

// Ids 1 to 6: pending, scheduled, retrying, delivered, dead, discarded.
class Queue {
 public:
  Queue() {
    app.enqueue(support::event_of("pending"));
    app.enqueue(support::event_of("scheduled"),
                {.not_before = std::chrono::system_clock::now() + far_away});
    app.enqueue_many(4);
    app.db().exec(
        "update outbox_events set attempts = 2, suspect_batch = 7, lonely_failures = 1,"
        " due_at_ms = 4000000000000, last_error = 'HTTP 400' where id = 3;"
        "update outbox_events set state = 1, settled_at_ms = 1000 where id = 4;"
        "update outbox_events set state = 2, attempts = 2, settled_at_ms = 1000,"
        " last_error = 'refused: HTTP 400' where id = 5;"
        "update outbox_events set state = 3, settled_at_ms = 1000 where id = 6;"
        "insert into outbox_destinations (name, delivered, delivered_total) values ('track', 1, "
        "1)");
  }

  std::string states() {
    return app.text(
        "select group_concat(state, '') from (select state from outbox_events order by id)");
  }
  std::string audit() {
    return app.text(
        "select group_concat(action || '/' || actor || '/' || coalesce(subject, '') || '/' || "
        "events"
        " || '/' || coalesce(reason, ''), '; ') from outbox_audit");
  }

  support::AppDatabase app;
};

Selection ids(std::vector<std::int64_t> list) {
  return {.ids = std::move(list)};
}
Selection in_state(const std::string& state) {
  return {.filter = {.state = state, .limit = std::nullopt}};
}
constexpr auto all = [] { return Selection{.all = true}; };

}  // namespace

TEST_CASE(
    "a retry makes dead and waiting events due now, with no attempts, and touches no others") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), all(), {"ann", "api mended"}) == 2);

  CHECK(queue.states() == "000103");
  CHECK(queue.app.count("attempts = 0 and suspect_batch is null and lonely_failures = 0"
                        " and settled_at_ms is null and last_error is null and id in (3, 5)") == 2);
  CHECK(outbox::status(queue.app.db()).counts.due == 3);
  CHECK(queue.audit() == "retry/ann/all/2/api mended");
  CHECK(queue.app.count("1") == 6);
  CHECK(queue.app.db().execAndGet("select nudges from outbox_destinations").getInt() > 0);
}

TEST_CASE("scheduled and discarded events are retried only when they are named") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), ids({2, 6})) == 2);
  CHECK(queue.states() == "000120");
  Queue other;
  CHECK(outbox::retry(other.app.db(), in_state("scheduled")) == 1);
  CHECK(outbox::retry(other.app.db(), in_state("discarded")) == 1);
  CHECK(other.audit() == "retry/app/state=scheduled/1/; retry/app/state=discarded/1/");
}

TEST_CASE("a delivered event is never retried, so that a retry cannot duplicate") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), ids({4, 1, 99})) == 0);
  CHECK_THROWS_WITH_AS(outbox::retry(queue.app.db(), in_state("delivered")),
                       "outbox: retry: not for delivered events; requeue sends them again",
                       std::invalid_argument);
  CHECK(queue.states() == "000123");
  CHECK(queue.audit() == "");
}

TEST_CASE("a discard keeps pending and dead events as discarded, with the reason") {
  Queue queue;
  CHECK(outbox::discard(queue.app.db(), ids({5, 1, 4}), {"ann", "no user of a@b.com"}) == 2);
  CHECK(queue.states() == "300133");
  CHECK(queue.app.text("select last_error from outbox_events where id = 5") ==
        "discarded: no user of a**@b.com");
  CHECK(queue.audit() == "discard/ann/ids 1,4-5/2/no user of a**@b.com");
  CHECK_THROWS_AS(outbox::discard(queue.app.db(), ids({1}), {}), std::invalid_argument);
}

TEST_CASE("a requeue sends delivered events again, but for scrubbed ones, and moves the counters") {
  Queue queue;
  queue.app.db().exec(
      "insert into outbox_events (payload, state, settled_at_ms) values ('{}', 1, 1000);"
      "update outbox_destinations set delivered = 2, delivered_total = 2");
  const auto at = [](int ms) {
    return std::chrono::system_clock::time_point{std::chrono::milliseconds{ms}};
  };

  CHECK(outbox::requeue(queue.app.db(), {.filter = {.since = at(1'001), .limit = {}}}) == 0);
  CHECK(outbox::requeue(queue.app.db(), {.filter = {.until = at(1'000), .limit = {}}}) == 0);
  CHECK(outbox::requeue(queue.app.db(),
                        {.filter = {.since = at(1'000), .until = at(1'001), .limit = {}}}) == 1);

  CHECK(queue.states() == "0000231");
  const outbox::Counts counts = outbox::status(queue.app.db()).counts;
  CHECK(counts.delivered == 1);
  CHECK(counts.delivered_total == 2);
  CHECK(counts.enqueued ==
        counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed);
}

TEST_CASE("without ids, a filter or all, nothing is changed") {
  Queue queue;
  SQLite::Database& db = queue.app.db();
  CHECK_THROWS_AS(outbox::retry(db, {}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, {.filter = {.destination = "track"}}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, {.filter = {.limit = 5}}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, {.ids = {1}, .all = true}), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, in_state("nonsense")), std::invalid_argument);
  CHECK_THROWS_AS(outbox::discard(db, in_state("discarded"), {"a", "b"}), std::invalid_argument);
  CHECK(queue.states() == "000123");
}

TEST_CASE("a dry run counts what would change, and changes nothing") {
  Queue queue;
  const std::string before =
      queue.app.text("select group_concat(quote(payload) || due_at_ms) from outbox_events");
  CHECK(outbox::retry(queue.app.db(), all(), {}, Run::dry) == 2);
  CHECK(outbox::retry(queue.app.db(), ids({5, 6, 4}), {}, Run::dry) == 2);
  CHECK(outbox::discard(queue.app.db(), all(), {"a", "b"}, Run::dry) == 4);
  CHECK(outbox::requeue(queue.app.db(), all(), {}, Run::dry) == 1);
  CHECK(outbox::prune(queue.app.path(), {.with_discarded = true}, {}, Run::dry) == 2);
  CHECK(outbox::erase(queue.app.path(), {.user_id = "pending"}, {}, Run::dry).events == 1);
  CHECK(queue.app.text("select group_concat(quote(payload) || due_at_ms) from outbox_events") ==
        before);
  CHECK(queue.audit() == "");
}

TEST_CASE("filters narrow a change, and its limit ends it") {
  support::AppDatabase app;
  app.enqueue_many(1'000);
  app.enqueue(support::event_of("user-7"), {.destination = "other"});
  app.db().exec("update outbox_events set state = 2, last_error = iif(id % 2, 'odd', 'even')");

  CHECK(outbox::retry(app.db(), {.filter = {.user_id = "user-7", .limit = {}}}) == 2);
  CHECK(outbox::retry(app.db(), {.filter = {.destination = "other", .limit = {}}, .all = true}) ==
        0);
  CHECK(outbox::retry(app.db(), {.filter = {.error = "odd", .limit = 450}}) == 450);
  CHECK(app.count("state = 0 and id < 900") == 450 + 1);
  CHECK(outbox::retry(app.db(), all()) == 1'001 - 2 - 450);
  CHECK(app.text("select sum(events) || ' ' || count(*) from outbox_audit") == "1001 3");
}

TEST_CASE("in the caller's transaction a change is a part of it") {
  Queue queue;
  SQLite::Database& db = queue.app.db();
  db.exec("begin immediate");
  CHECK(outbox::retry(db, all()) == 2);
  CHECK(outbox::discard(db, all(), {"a", "b"}) == 4);
  db.exec("rollback");
  CHECK(queue.states() == "000123");
  CHECK(queue.audit() == "");
}

TEST_CASE("pruning removes what was settled long ago, and the counters know it") {
  Queue queue;
  queue.app.enqueue_many(1);
  queue.app.db().exec("update outbox_events set enqueued_at_ms = 500 where id < 7");

  CHECK(outbox::prune(queue.app.path(), {}) == 1);
  CHECK(outbox::prune(queue.app.path(), {.with_discarded = true}, {"ann", ""}) == 1);

  CHECK(queue.states() == "00020");
  const outbox::Counts counts = outbox::status(queue.app.db()).counts;
  CHECK(counts.removed == 2);
  CHECK(counts.delivered == 0);
  CHECK(counts.enqueued == 7);
  CHECK(queue.audit() ==
        "prune/app/settled 604800000 ms ago/1/; prune/ann/settled 604800000 ms ago,"
        " discarded too/1/");
}

TEST_CASE("pruning is not stopped by events of a clock that was wrong") {
  support::AppDatabase app;
  app.enqueue_many(900);
  app.db().exec(
      "update outbox_events set state = 1, settled_at_ms = 1000, enqueued_at_ms = 1000;"
      "update outbox_events set enqueued_at_ms = 9000000000000 where id < 800;"
      "insert into outbox_destinations (name, delivered) values ('track', 900)");
  CHECK(outbox::prune(app.path(), {}) == 900);
}

TEST_CASE("audit entries are listed, the newest first") {
  support::AppDatabase app;
  outbox::pause(app.db(), "track", "maintenance", "ann");
  outbox::resume(app.db(), "track", "tom");
  const auto entries = outbox::list_audit(app.db());
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].action == "resume");
  CHECK(entries[0].actor == "tom");
  CHECK(entries[1].action == "pause");
  CHECK(entries[1].reason == "maintenance");
  CHECK(entries[1].destination == "track");
}

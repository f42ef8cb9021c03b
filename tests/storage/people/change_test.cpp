// retry, discard, requeue, prune: what changes, what does not, and what the audit says.

#include "storage/people/change.hpp"

#include <doctest/doctest.h>

#include "core/clock.hpp"
#include "storage/sqlite/transaction.hpp"
#include "support/database.hpp"

using outbox::Mode;
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
        "update outbox_queue set state = 3, refusals = 2, refused_in = 7, solo_failures = 1,"
        " due_at_ms = 4000000000000, last_error = 'HTTP 400' where event = 3;"
        "update outbox_queue set state = 4, refusals = 2, settled_at_ms = 1000,"
        " last_error = 'refused: HTTP 400' where event = 5;"
        "update outbox_queue set state = 5, settled_at_ms = 1000 where event = 6");
    app.mark_delivered(4, 4);
  }

  // "P" pending, "V" delivered, "D" dead, "X" discarded: in order of id.
  std::string states() {
    return app.text(
        "select group_concat(case state when 'pending' then 'P' when 'delivered' then 'V'"
        " when 'dead' then 'D' else 'X' end, '')"
        " from (select state from outbox_event_states order by id)");
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
  return Selection::ids(std::move(list));
}
Selection in_state(outbox::EventState state) {
  return Selection::matching({.state = state});
}
constexpr auto all = [] { return Selection::all(); };

}  // namespace

TEST_CASE(
    "a retry makes dead and waiting events due now, with no attempts, and touches no others") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), all(), {"ann", "api fixed"}) == 2);

  CHECK(queue.states() == "PPPVPX");
  CHECK(queue.app.count("refusals = 0 and solo_failures = 0 and due_at_ms = 0"
                        " and settled_at_ms is null and last_error is null and id in (3, 5)") == 2);
  CHECK(outbox::status(queue.app.db()).counts.due == 3);
  CHECK(queue.app.text("select count(*) from outbox_queue where refused_in is not null") == "0");
  CHECK(queue.audit() == "retry/ann/all/2/api fixed");
  CHECK(queue.app.count("1") == 6);
  CHECK(queue.app.db().execAndGet("select probes_asked from outbox_destinations").getInt() == 1);
}

TEST_CASE("a change of all events of a key reaches also those that wait for the first") {
  const auto key_of_four = [](support::AppDatabase& app) {
    for (int i = 0; i < 4; ++i) app.enqueue(support::event_of("u"), {.ordering_key = "key"});
    app.db().exec("update outbox_queue set state = 1 where event > 1");
  };
  support::AppDatabase discarded;
  key_of_four(discarded);
  CHECK(outbox::discard(discarded.db(), all(), {"ann", "why"}) == 4);
  CHECK(discarded.count("state = 'discarded'") == 4);
  CHECK(outbox::retry(discarded.db(), ids({1, 2, 3, 4})) == 4);
  CHECK(discarded.count("waits_as = 'ready'") == 4);

  support::AppDatabase erased;
  key_of_four(erased);
  CHECK(outbox::erase(outbox::DatabaseFile{erased.path()}, outbox::Subject::user("u")).events == 4);
  CHECK(erased.text("select count(*) from outbox_queue") == "0");

  support::AppDatabase half;  // the second half waits for the first
  key_of_four(half);
  CHECK(outbox::discard(half.db(), ids({1, 2}), {"ann", "why"}) == 2);
  CHECK(half.count("id = 3 and waits_as = 'ready'") == 1);
  CHECK(half.count("id = 4 and waits_as = 'waiting'") == 1);
}

TEST_CASE("scheduled and discarded events are retried only when they are named") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), ids({2, 6})) == 2);
  CHECK(queue.states() == "PPPVDP");
  Queue other;
  CHECK(outbox::retry(other.app.db(), in_state(outbox::EventState::scheduled)) == 1);
  CHECK(outbox::retry(other.app.db(), in_state(outbox::EventState::discarded)) == 1);
  CHECK(other.audit() == "retry/app/state=scheduled/1/; retry/app/state=discarded/1/");
  // That of pending events is about those that are retrying: a scheduled one would lose its time.
  Queue pending;
  const std::string before = pending.states();
  outbox::retry(pending.app.db(), in_state(outbox::EventState::pending));
  CHECK(pending.app.count("id = 2 and due_at_ms = 0") == 0);
  CHECK(pending.states() == before);
}

TEST_CASE("a delivered event is never retried, so that a retry cannot duplicate") {
  Queue queue;
  CHECK(outbox::retry(queue.app.db(), ids({4, 1, 99})) == 0);
  CHECK_THROWS_WITH_AS(outbox::retry(queue.app.db(), in_state(outbox::EventState::delivered)),
                       "outbox: retry: not for delivered events; requeue sends them again",
                       std::invalid_argument);
  CHECK(queue.states() == "PPPVDX");
  CHECK(queue.audit() == "");
}

TEST_CASE("a discard keeps pending and dead events as discarded, with the reason") {
  Queue queue;
  CHECK(outbox::discard(queue.app.db(), ids({5, 1, 4}), {"ann", "no user of a@b.com"}) == 2);
  CHECK(queue.states() == "XPPVXX");
  CHECK(queue.app.text("select last_error from outbox_event_states where id = 5") ==
        "discarded: no user of a**@b.com");
  CHECK(queue.audit() == "discard/ann/ids 1,4-5/2/no user of a**@b.com");
  CHECK_THROWS_AS(outbox::discard(queue.app.db(), ids({1}), {}), std::invalid_argument);
}

TEST_CASE("a requeue sends delivered events again, but for scrubbed ones, and moves the counters") {
  Queue queue;
  queue.app.insert("{}");
  queue.app.mark_delivered(7, 7);
  const auto at = [](int ms) {
    return std::chrono::system_clock::time_point{std::chrono::milliseconds{ms}};
  };

  CHECK(outbox::requeue(queue.app.db(), Selection::matching({.since = at(1'001)})) == 0);
  CHECK(outbox::requeue(queue.app.db(), Selection::matching({.until = at(1'000)})) == 0);
  CHECK(outbox::requeue(queue.app.db(),
                        Selection::matching({.since = at(1'000), .until = at(1'001)})) == 1);

  CHECK(queue.states() == "PPPPDXV");
  const outbox::Counts counts = outbox::status(queue.app.db()).counts;
  CHECK(counts.delivered == 1);
  CHECK(counts.delivered_total == 2);
  CHECK(counts.enqueued ==
        counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed);
}

TEST_CASE("without ids, a filter or all, nothing is changed") {
  Queue queue;
  SQLite::Database& db = queue.app.db();
  CHECK_THROWS_AS(outbox::retry(db, Selection::matching({})), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, Selection::matching({.destination = "track"})),
                  std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, Selection::matching({}, 5)), std::invalid_argument);
  // No id is not "everything that the rest lets through".
  CHECK_THROWS_AS(outbox::retry(db, Selection::ids({})), std::invalid_argument);
  CHECK_THROWS_AS(outbox::retry(db, Selection::ids({}, "track")), std::invalid_argument);
  CHECK_THROWS_AS(outbox::discard(db, in_state(outbox::EventState::discarded), {"a", "b"}),
                  std::invalid_argument);
  CHECK(queue.states() == "PPPVDX");
}

TEST_CASE("a removal that a trigger of the host's ignores is an error, and no erasure is claimed") {
  Queue queue;
  queue.app.db().exec(
      "create trigger keep before delete on outbox_events begin select raise(ignore); end");
  CHECK_THROWS_WITH_AS(
      outbox::erase(queue.app.path(), outbox::Subject::user("pending"), {.reason = "asked"}),
      doctest::Contains("of event 1"), outbox::database_error);
  CHECK_THROWS_WITH_AS(outbox::prune(queue.app.path(), {.includes_discarded = true}),
                       doctest::Contains("ignored the removal"), outbox::database_error);
  CHECK(queue.states() == "PPPVDX");
}

TEST_CASE("a dry run counts what would change, and changes nothing") {
  Queue queue;
  const std::string before =
      queue.app.text("select group_concat(state || due_at_ms) from outbox_event_states");
  CHECK(outbox::retry(queue.app.db(), all(), {}, Mode::dry_run) == 2);
  CHECK(outbox::retry(queue.app.db(), ids({5, 6, 4}), {}, Mode::dry_run) == 2);
  CHECK(outbox::discard(queue.app.db(), all(), {"a", "b"}, Mode::dry_run) == 4);
  CHECK(outbox::requeue(queue.app.db(), all(), {}, Mode::dry_run) == 1);
  CHECK(outbox::prune(queue.app.path(), {.includes_discarded = true}, {}, Mode::dry_run) == 2);
  CHECK(
      outbox::erase(queue.app.path(), outbox::Subject::user("pending"), {}, Mode::dry_run).events ==
      1);
  CHECK(queue.app.text("select group_concat(state || due_at_ms) from outbox_event_states") ==
        before);
  CHECK(queue.audit() == "");
}

TEST_CASE("filters narrow a change, and its limit ends it") {
  support::AppDatabase app;
  app.enqueue_many(1'000);
  app.enqueue(support::event_of("user-7"), {.destination = "other"});
  app.db().exec("update outbox_queue set state = 4, last_error = iif(event % 2, 'odd', 'even')");

  CHECK(outbox::retry(app.db(), Selection::matching({.user_id = "user-7"})) == 2);
  CHECK(outbox::retry(app.db(), Selection::all({.destination = "other"})) == 0);
  CHECK(outbox::retry(app.db(), Selection::matching({.error = "odd"}, 450)) == 450);
  CHECK(app.count("state = 'pending' and id < 900") == 450 + 1);
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
  CHECK(queue.states() == "PPPVDX");
  CHECK(queue.audit() == "");
}

TEST_CASE("pruning removes what was settled long ago, and the counters know it") {
  Queue queue;
  queue.app.enqueue_many(1);

  CHECK(outbox::prune(queue.app.path(), {}) == 1);
  CHECK(outbox::prune(queue.app.path(), {.includes_discarded = true}, {"ann", ""}) == 1);

  CHECK(queue.states() == "PPPDP");
  const outbox::Counts counts = outbox::status(queue.app.db()).counts;
  CHECK(counts.removed == 2);
  CHECK(counts.delivered == 0);
  CHECK(counts.enqueued == 7);
  CHECK(queue.audit() ==
        "prune/app/settled 604800000 ms ago/1/; prune/ann/settled 604800000 ms ago,"
        " discarded too/1/");
}

TEST_CASE("what was delivered later than now is not old: it may be this clock that is wrong") {
  support::AppDatabase app;
  app.enqueue_many(2);
  const std::int64_t now = outbox::core::unix_ms(outbox::core::system_now());
  app.mark_delivered(1, 1, now + std::int64_t{24} * 365 * 3'600'000);
  app.mark_delivered(2, 2, now);
  const outbox::PruneOptions options{.older_than = std::chrono::hours{24 * 7}};
  CHECK(outbox::prune(app.path(), options) == 0);
}

TEST_CASE("a discard and an erasure let the next event of the key go") {
  support::AppDatabase app;
  for (int i = 0; i < 3; ++i) app.enqueue(support::event_of("u"), {.ordering_key = "k"});
  app.db().exec("update outbox_queue set state = 1 where event > 1");

  CHECK(outbox::discard(app.db(), ids({1}), {"ann", "old"}) == 1);
  CHECK(app.text("select group_concat(waits_as) from outbox_event_states") == "ready,waiting");

  app.db().exec("update outbox_events set payload = '{\"user_id\":\"gone\"}' where id = 2");
  CHECK(outbox::erase(app.path(), outbox::Subject::user("gone")).events == 1);
  CHECK(app.text("select waits_as from outbox_event_states where id = 3") == "ready");
}

TEST_CASE("what has changed since it was chosen is changed only if the change still concerns it") {
  support::AppDatabase app;
  app.enqueue_many(600);
  app.db().exec("update outbox_queue set state = 4");
  SQLite::Database other = app.connect();
  // As a person at another desk would: between the first chunk and the next.
  app.db().exec(
      "create temp trigger meddle after insert on outbox_audit begin"
      " delete from outbox_queue where event = 500; end");

  CHECK(outbox::retry(app.db(), all()) == 599);

  CHECK(app.count("state = 'pending'") == 599);
  CHECK(app.text("select events from outbox_audit") == "599");
}

TEST_CASE("a requeue by id finds the request, and leaves the rest of it delivered") {
  support::AppDatabase app;
  app.enqueue_many(10);
  app.mark_delivered(1, 10);

  CHECK(outbox::requeue(app.db(), ids({3, 4, 5, 11})) == 3);
  CHECK(outbox::requeue(app.db(), ids({3})) == 0);

  CHECK(app.text("select delivered_ids from outbox_requests") == "1-2,6-10");
  CHECK(app.count("state = 'pending'") == 3);
  CHECK(outbox::requeue(app.db(), Selection::matching({.user_id = "user-0"})) == 1);
  CHECK(outbox::requeue(app.db(), all()) == 6);
  CHECK(app.text("select count(delivered_ids) from outbox_requests") == "0");
  CHECK(outbox::status(app.db()).counts.delivered == 0);
  CHECK(outbox::status(app.db()).counts.delivered_total == 10);
}

TEST_CASE("a requeue of small requests is done many at a time") {
  support::AppDatabase app;
  app.enqueue_many(500);
  app.db().exec("begin immediate");
  for (int id = 1; id <= 500; ++id) app.mark_delivered(id, id);
  app.db().exec("commit");
  CHECK(outbox::requeue(app.db(), Selection::all({}, 450)) == 450);
  CHECK(app.count("state = 'delivered' and id > 450") == 50);
  CHECK(app.text("select events from outbox_audit") == "450");
}

TEST_CASE("audit entries are listed, the newest first") {
  support::AppDatabase app;
  outbox::pause(app.db(), "track", {.actor = "ann", .reason = "maintenance"});
  outbox::resume(app.db(), "track", {.actor = "tom"});
  const auto entries = outbox::list_audit(app.db());
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].action == "resume");
  CHECK(entries[0].actor == "tom");
  CHECK(entries[1].action == "pause");
  CHECK(entries[1].reason == "maintenance");
  CHECK(entries[1].destination == "track");
}

TEST_CASE("a change does not wait for the writer of a file that the host has attached") {
  support::AppDatabase app;
  const std::string path = app.path() + ".other";
  SQLite::Database other{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  other.exec("create table t (x)");
  app.db().exec("attach '" + path + "' as other");
  other.exec("begin immediate");
  CHECK_NOTHROW(outbox::pause(app.db(), "track", {}));
  CHECK(sqlite3_get_autocommit(app.db().getHandle()) != 0);
}

TEST_CASE("no hook of the host's is called while a change waits for the lock") {
  support::AppDatabase app;
  const std::string path = app.path() + ".other";
  SQLite::Database other{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  other.exec("create table t (x)");
  app.db().exec("attach '" + path + "' as other; pragma busy_timeout = 1");
  int rollbacks = 0;
  sqlite3_rollback_hook(
      app.db().getHandle(), [](void* count) { ++*static_cast<int*>(count); }, &rollbacks);
  SQLite::Database writer{app.path(), SQLite::OPEN_READWRITE};
  writer.exec("begin immediate");
  using outbox::storage::WriteTransaction;
  CHECK_THROWS_AS((WriteTransaction{app.db().getHandle(), "test", std::chrono::milliseconds{20}}),
                  outbox::database_error);
  CHECK(rollbacks == 0);
  writer.exec("commit");
  CHECK_NOTHROW(outbox::pause(app.db(), "track", {}));
  CHECK(rollbacks == 0);
}

TEST_CASE("a pause that is there keeps its reason when it is asked for again without one") {
  support::AppDatabase app;
  const auto reason = [&] { return outbox::status(app.db()).destinations.at(0).paused->reason; };
  outbox::pause(app.db(), "track", {.actor = "ann", .reason = "maintenance"});
  outbox::pause(app.db(), "track", {.actor = "tom"});
  CHECK(reason() == "maintenance");
  outbox::pause(app.db(), "track", {.actor = "tom", .reason = "it takes longer"});
  CHECK(reason() == "it takes longer");
}

TEST_CASE("a discard wants a reason that says something") {
  support::AppDatabase app;
  app.enqueue_many(1);
  for (const char* reason : {"", "  ", "\n"}) {
    CHECK_THROWS_WITH_AS(outbox::discard(app.db(), Selection::ids({1}), {.reason = reason}),
                         "outbox: discard: a reason is required", std::invalid_argument);
  }
}

TEST_CASE("the audit names every filter of a change") {
  support::AppDatabase app;
  app.enqueue_many(1);
  const std::chrono::system_clock::time_point instant{std::chrono::hours{24}};
  app.db().exec("update outbox_queue set state = 4, settled_at_ms = 100000000");
  outbox::retry(app.db(), Selection::matching({.settled_since = instant}));
  CHECK(outbox::list_audit(app.db()).at(0).subject == "settled since 1970-01-02T00:00:00.000000Z");
}

TEST_CASE("the audit of a destination is what named it and what concerned all, within the limit") {
  support::AppDatabase app;
  app.enqueue_many(1);
  outbox::pause(app.db(), "track", {.actor = "ann"});
  outbox::discard(app.db(), Selection::ids({1}), {.actor = "ben", .reason = "test"});
  for (int i = 0; i < 3; ++i) outbox::pause(app.db(), "mail", {.actor = "tom"});
  const auto actors = [&app](const std::string& destination, std::size_t limit) {
    std::string text;
    for (const auto& entry : outbox::list_audit(app.db(), destination, limit)) text += entry.actor;
    return text;
  };
  CHECK(actors("track", 2) == "benann");
  CHECK(actors("mail", 2) == "tomtom");
  CHECK(actors("", 4) == "tomtomtomben");
}

TEST_CASE("a change takes fewer events at a time where pages are large") {
  struct Row {
    int page_size;
    std::size_t events;
  };
  for (const Row& row : {Row{512, 200}, Row{4'096, 200}, Row{16'384, 61}, Row{65'536, 15}}) {
    SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    db.exec("pragma page_size = " + std::to_string(row.page_size) + "; create table t (x)");
    CHECK(outbox::storage::chunk_of_pages(db.getHandle()) == row.events);
  }
}

TEST_CASE("what was discarded of a destination that nobody has served is pruned too") {
  support::AppDatabase app;
  app.enqueue(support::event_of("u"), {.destination = "mistyped"});
  outbox::discard(app.db(), all(), {"ann", "mistyped"});
  app.db().exec("update outbox_queue set settled_at_ms = 1000");

  CHECK(outbox::prune(app.path(), {.includes_discarded = true}) == 1);
  CHECK(app.text("select count(*) from outbox_events") == "0");
}

TEST_CASE("an erased event that was never queued does not count as delivered") {
  support::AppDatabase app;
  app.enqueue_many(2);
  app.db().exec("delete from outbox_queue where event = 1");  // as with triggers switched off

  CHECK(outbox::erase(outbox::DatabaseFile{app.path()}, outbox::Subject::user("user-0")).events ==
        1);

  const outbox::Counts counts = outbox::status(app.db()).counts;
  CHECK(counts.delivered == 0);
  CHECK(counts.removed == 1);
  CHECK(counts.pending == 1);
}

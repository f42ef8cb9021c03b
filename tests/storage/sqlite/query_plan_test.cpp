// No statement of the life of an event may cost what the history or the queue costs.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "storage/life/queue_row.hpp"
#include "storage/life/store.hpp"
#include "storage/people/events.hpp"
#include "support/database.hpp"

namespace {

using outbox::core::Ids;
using outbox::core::Instant;
using outbox::core::QueueState;

constexpr Instant now{std::chrono::milliseconds{1'800'000'000'000}};

// What reads a whole range of rows on purpose, by its beginning, and why.
const std::map<std::string, const char*> reads_a_range = {
    {"select coalesce((select seq from main.sqlite_sequence", "a count of the queue, by its pages"},
    {"select id from main.outbox_events where id > 0 and id not in",
     "only when the log and the queue differ"},
    {"select destination, sum(events) from main.outbox_audit", "a row for each change of a person"},
    {"select 1 from main.outbox_queue where destination = ?1 and state",
     "whether there is one: it ends at the first"},
    {"select count(*) from main.outbox_queue where destination = ?1 and state = 3", "the suspects"},
    {"select q.event, q.enqueued_at_ms, e.payload, e.validated, q.ordering_key, e.kind, e.event_id,"
     " e.headers, e.enqueued_at_ms, q.due_at_ms, q.refused_in",
     "the suspects"},
    {"select q.event, q.state, q.due_at_ms, q.enqueued_at_ms, q.ordering_key, e.enqueued_at_ms "
     "from",
     "the suspects"},
    {"select event, state, coalesce(refusals, 0), coalesce(solo_failures, 0), (select",
     "status names the first that hold others"},
    {"select destination, state, sum(due_at_ms", "status counts what is undelivered"},
    {"select id, search from main.outbox_requests", "the searches that are under way"},
    {"select event, due_at_ms, enqueued_at_ms, ordering_key from main.outbox_queue where"
     " destination = ?1 and state = ?2 and true order by enqueued_at_ms",
     "the suspects"},
};

// Collects the text of every statement that runs.
class Trace {
 public:
  explicit Trace(sqlite3* db) : db_{db} {
    sqlite3_trace_v2(db_, SQLITE_TRACE_STMT, on_statement, &statements);
  }
  ~Trace() { sqlite3_trace_v2(db_, 0, nullptr, nullptr); }
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  std::set<std::string> statements;

 private:
  static int on_statement(unsigned, void* context, void* statement, void*) {
    const char* sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
    if (sql != nullptr) static_cast<std::set<std::string>*>(context)->insert(sql);
    return 0;
  }

  sqlite3* db_;
};

Ids ids_of(const outbox::storage::Take& take) {
  Ids ids;
  for (const auto& event : take.events) ids.push_back(event.id);
  return ids;
}

// All that a dispatcher does, with what each of its statements needs.
void do_dispatcher_work(sqlite3* db) {
  outbox::storage::Store store{db, "track"};
  outbox::storage::Claims claims;
  store.serve({.endpoint = "endpoint", .scrubs = true}, now);
  store.destination.read();
  outbox::storage::Take take = store.queue.take({.events_max = 8}, now, claims);
  const outbox::storage::Take more = store.queue.take({.events_max = 8}, now, claims);
  store.queue.take_searched({1, 2}, claims);
  using outbox::core::ProbeSource;
  for (const auto source : {ProbeSource::ready, ProbeSource::in_search, ProbeSource::scheduled}) {
    store.queue.take_probe({source, 0.5}, now, claims);
  }
  store.queue.take_suspect({.accepted_request = 9}, now, claims);
  store.queue.expired(now, now, 999, claims);
  store.queue.next_due(now);
  store.queue.has_due(now);
  store.queue.remaining_count(now);

  outbox::core::Settlement settlement;
  const Ids ids = ids_of(take);
  settlement.requests = {{.ids = ids.empty() ? Ids{1} : ids, .delivered = ids}};
  settlement.requests.front().begun = outbox::core::Search::parse("2+3");
  for (const std::int64_t id : ids_of(more)) {
    settlement.suspects.push_back({.id = id});
    settlement.dead.push_back({id, "dead"});
  }
  settlement.searches = {{1, {}}};
  store.ledger.record({settlement, {{.id = 4, .ordering_key = "key1"}}}, claims, now);
  outbox::storage::find_queued(db, 4'950);
  outbox::storage::NextOfKey{db}.free("track", "key1");
  store.old_requests.count(now + std::chrono::hours{1}, now + std::chrono::hours{1});
  store.prune(now + std::chrono::hours{1}, now + std::chrono::hours{1});
  outbox::storage::read_status(db, "", now);
  // Another endpoint, and one id that was lost: what is only looked at then.
  sqlite3_exec(db, "/* by hand */ delete from outbox_queue where event = 4999", nullptr, nullptr,
               nullptr);
  store.serve({.endpoint = "another", .identity = "one"}, now);
  store.serve({.endpoint = "another", .identity = "two"}, now);
}

void enqueue(sqlite3* db) {
  sqlite3_exec(db, "begin immediate", nullptr, nullptr, nullptr);
  outbox::enqueue(db, support::event_of("u"), {.pending_events_max = 1'000'000});
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  for (int i = 0; i < 2; ++i) {
    outbox::enqueue(db, support::event_of("u"), {.ordering_key = "k", .dedupe_key = "d"});
  }
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
  sqlite3_exec(db, "commit", nullptr, nullptr, nullptr);
}

// 4,900 delivered events and 100 in every part of the queue.
void fill(support::AppDatabase& app) {
  app.db().exec(
      "begin; with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
      " insert into outbox_events (payload, ordering_key, due_at_ms)"
      " select '{}', iif(i % 3 = 0, 'key' || (i % 7), null), iif(i % 5 = 0, 1000, 0) from n;"
      " update outbox_queue set state = event % 6");
  for (int first = 1; first < 4'900; first += 100) app.mark_delivered(first, first + 99);
  app.db().exec("commit");
}

bool is_planned(const std::string& sql) {
  for (const char* verb : {"select", "update", "delete", "insert"}) {
    if (sql.rfind(verb, 0) == 0) return sql.find("outbox_") != std::string::npos;
  }
  return false;
}

// One step of a plan that reads more rows than it needs.
bool is_wide(const std::string& step) {
  if (step.find("USE TEMP B-TREE") != std::string::npos) return true;
  // The whole of a destination or of one of its states, where a key or an event should follow.
  if (step.find("(destination=?)") != std::string::npos) return true;
  if (step.find("(destination=? AND state=?)") != std::string::npos) return true;
  if (step.find("PRIMARY KEY (destination=? AND state<?)") != std::string::npos) return true;
  // These have some rows only.
  for (const char* small :
       {"outbox_destinations", "outbox_migrations", "sqlite_schema", "sqlite_sequence",
        "CONSTANT ROW", "SCAN (subquery", "SCAN SUBQUERY", "SCAN d"}) {
    if (step.find(small) != std::string::npos) return false;
  }
  return step.find("SCAN") != std::string::npos;
}

}  // namespace

TEST_CASE("every statement of the life of an event finds its rows, with and without statistics") {
  support::AppDatabase app;
  bool is_filled = true;
  SUBCASE("on empty tables") {
    is_filled = false;
  }
  SUBCASE("on tables with history") {
    fill(app);
  }
  SUBCASE("on tables with history and ANALYZE") {
    fill(app);
    app.db().exec("analyze");
  }
  int analyzed_events = 0;  // without a key, when the statistics were made
  for (int events = 1; events <= 12; ++events) {
    const std::string name = "on tables with history, and ANALYZE from when there were " +
                             std::to_string(events) + " events";
    SUBCASE(name.c_str()) {
      analyzed_events = events;
    }
  }
  if (analyzed_events > 0) {
    for (int i = 0; i < analyzed_events; ++i) app.insert("{}");
    app.db().exec(
        "analyze; delete from outbox_queue; delete from outbox_events;"
        " delete from sqlite_sequence");
    fill(app);
  }
  std::set<std::string> statements;
  {
    Trace trace{app.db().getHandle()};
    do_dispatcher_work(app.db().getHandle());
    enqueue(app.db().getHandle());
    statements = std::move(trace.statements);
  }
  CHECK(std::count_if(statements.begin(), statements.end(), is_planned) > (is_filled ? 50 : 35));

  std::set<std::string> wide;
  for (const std::string& sql : statements) {
    if (!is_planned(sql)) continue;
    CAPTURE(sql);
    const auto known =
        std::find_if(reads_a_range.begin(), reads_a_range.end(),
                     [&](const auto& range) { return sql.rfind(range.first, 0) == 0; });
    SQLite::Statement plan{app.db(), "explain query plan " + sql};
    while (plan.executeStep()) {
      const std::string step = plan.getColumn(3).getString();
      if (!is_wide(step)) continue;
      CAPTURE(step);
      CHECK(known != reads_a_range.end());
      if (known != reads_a_range.end()) wide.insert(known->first);
    }
  }
  for (const auto& [sql, why] : reads_a_range) {  // no exception that nothing needs
    CAPTURE(sql);
    if (is_filled) CHECK(wide.contains(sql));
  }
}

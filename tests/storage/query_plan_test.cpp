// No statement of the dispatcher may cost what the history costs.

#include <doctest/doctest.h>

#include <set>

#include "storage/counts.hpp"
#include "storage/store.hpp"
#include "support/database.hpp"

namespace {

struct Seen {
  std::set<std::string> statements;
};

// Collects the text of every statement that runs.
int on_trace(unsigned, void* context, void* statement, void*) {
  const char* sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
  if (sql != nullptr) static_cast<Seen*>(context)->statements.insert(sql);
  return 0;
}

bool is_planned(const std::string& sql) {
  for (const char* verb : {"select", "update", "delete", "insert"}) {
    if (sql.rfind(verb, 0) == 0) return sql.find("outbox_") != std::string::npos;
  }
  return false;
}

std::set<std::string> statements_of_a_dispatcher(SQLite::Database& db) {
  Seen seen;
  sqlite3_trace_v2(db.getHandle(), SQLITE_TRACE_STMT, on_trace, &seen);
  {
    outbox::storage::Store store{db.getHandle(), "track"};
    const outbox::core::Instant now{std::chrono::milliseconds{1'800'000'000'000}};
    store.serve({"endpoint"}, now);
    store.destination();
    std::vector<std::int64_t> ids;
    for (const auto& event : store.take({.events_max = 8}, now, {})) ids.push_back(event.id);
    store.take({.events_max = 8}, now, {ids.begin(), ids.end()});
    store.take({.events_max = 8}, now, {ids.begin(), ids.end()});
    store.next_due(now);
    store.due_count(now);
    store.suspect_count(now);
    store.take_these(ids);
    store.take_suspect({.accepted_batch = 9, .evidence = outbox::storage::Evidence::around}, now,
                       {});
    store.expired(now, 9, {});
    store.record({.delivered = ids,
                  .suspects = {{.id = 1}},
                  .attempts = {{.ids = {1}}},
                  .searches = {{.batch = 1}}},
                 now);
    outbox::storage::read_status(db.getHandle(), "", now);
  }
  sqlite3_trace_v2(db.getHandle(), 0, nullptr, nullptr);
  return seen.statements;
}

void fill(support::AppDatabase& app) {
  app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
      " insert into outbox_events (payload, ordering_key, state, due_at_ms)"
      " select '{}', iif(i % 3 = 0, 'key' || i % 7, null), iif(i < 4900, 1, 0),"
      " iif(i % 5 = 0, 1000, 0) from n");
}

void check_plans(SQLite::Database& db, const std::set<std::string>& statements) {
  for (const std::string& sql : statements) {
    if (!is_planned(sql)) continue;
    CAPTURE(sql);
    SQLite::Statement plan{db, "explain query plan " + sql};
    while (plan.executeStep()) {
      const std::string step = plan.getColumn(3).getString();
      CAPTURE(step);
      const bool scans_events = step.find("SCAN outbox_events") != std::string::npos &&
                                step.find("USING INDEX") == std::string::npos &&
                                step.find("USING COVERING INDEX") == std::string::npos;
      CHECK_FALSE(scans_events);
      CHECK(step.find("USE TEMP B-TREE") == std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("every statement uses an index, with and without statistics") {
  support::AppDatabase app;
  SUBCASE("on an empty table") {}
  SUBCASE("on a table with history") {
    fill(app);
  }
  SUBCASE("on a table with history and ANALYZE") {
    fill(app);
    app.db().exec("analyze");
  }
  const std::set<std::string> statements = statements_of_a_dispatcher(app.db());
  CHECK(statements.size() > 15);
  check_plans(app.db(), statements);
}

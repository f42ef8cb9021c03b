// A backlog of any size goes through a small process, in order, each event once.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "storage/store.hpp"
#include "support/database.hpp"
#include "support/process.hpp"
#include "support/sanitized.hpp"
#include "track_server/server.hpp"

TEST_CASE("200,000 pending events drain in order, each once, in less than 32 MiB") {
  const std::size_t count = support::is_sanitized ? 20'000 : 200'000;
  support::AppDatabase app;
  app.enqueue_many(count);
  track_server::TrackServer server{
      {.log_path = app.folder().file("received"), .keeps_events = false}};

  const support::Finished finished = support::run(
      {OUTBOX_CLI, "drain", "--db", app.path(), "--url", server.url(), "--timeout", "4m"},
      {{"OUTBOX_TOKEN", "t"}});

  CHECK(finished.code == 0);
  MESSAGE("peak memory: " << finished.peak_rss_kib / 1024 << " MiB");
  CHECK((support::is_sanitized || finished.peak_rss_kib < 32 * 1024));
  std::ifstream received{app.folder().file("received")};
  std::size_t arrived = 0;
  bool is_in_order = true;
  for (std::string line; std::getline(received, line); ++arrived) {
    const std::string expected = "\"user_id\":\"user-" + std::to_string(arrived) + "\"";
    is_in_order = is_in_order && line.find(expected) != std::string::npos;
  }
  CHECK(arrived == count);
  CHECK(is_in_order);
}

namespace {

// What SQLite's machine does in `work`: a cost that no noise touches.
template <class Work>
std::int64_t steps_of(sqlite3* db, Work work) {
  std::int64_t steps = 0;
  sqlite3_progress_handler(
      db, 1,
      [](void* count) {
        ++*static_cast<std::int64_t*>(count);
        return 0;
      },
      &steps);
  work();
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  return steps;
}

// Takes and delivers until nothing is left; returns the cost of each take.
std::vector<std::int64_t> costs_of_takes(SQLite::Database& db) {
  constexpr outbox::core::Instant now{std::chrono::milliseconds{2'000'000'000'000}};
  outbox::storage::Store store{db.getHandle(), "track"};
  std::vector<std::int64_t> costs;
  std::size_t delivered = 0;
  while (delivered < 1'000) {
    outbox::core::Ids ids;
    costs.push_back(steps_of(db.getHandle(), [&] {
      for (const auto& event : store.take({}, now, {})) ids.push_back(event.id);
    }));
    delivered += ids.size();
    store.record({.delivered = ids}, now);
  }
  return costs;
}

// 1,000 free events, a hundred at each of ten places among those that wait for the head of a key.
std::vector<std::int64_t> costs_beside(std::size_t blocked, std::int64_t due_at_ms) {
  support::AppDatabase app;
  app.db().exec(
      "begin; insert into outbox_events (payload, ordering_key, due_at_ms, attempts, suspect_batch)"
      " values ('{}', 'k', 4000000000000, 1, 1)");  // the head waits for its next try
  SQLite::Statement wait{
      app.db(),
      "insert into outbox_events (payload, ordering_key, due_at_ms) values ('{}', 'k', ?)"};
  for (int place = 0; place < 10; ++place) {
    for (std::size_t i = 0; i < blocked / 10; ++i) {
      wait.bind(1, due_at_ms);
      wait.exec();
      wait.reset();
    }
    app.db().exec(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100)"
        " insert into outbox_events (payload) select '{}' from n");
  }
  app.db().exec("commit");
  return costs_of_takes(app.db());
}

}  // namespace

TEST_CASE("a take costs the same beside 200,000 events that wait for the head of their key") {
  const std::size_t blocked = support::is_sanitized ? 20'000 : 200'000;
  for (const std::int64_t due_at_ms : {0, 5}) {
    CAPTURE(due_at_ms);
    const auto without = costs_beside(0, due_at_ms);
    const auto with = costs_beside(blocked, due_at_ms);

    // Each waiting event is looked at once, at most 10,000 of them in one take.
    CHECK(without.size() == 10);
    const std::int64_t most = *std::max_element(with.begin(), with.end());
    const std::int64_t all = std::accumulate(with.begin(), with.end(), std::int64_t{0});
    const std::int64_t bare = std::accumulate(without.begin(), without.end(), std::int64_t{0});
    MESSAGE("steps: " << bare << " without, " << all << " with; most in one take " << most);
    CHECK(most < 10'000 * 60);
    CHECK(all - bare < static_cast<std::int64_t>(blocked) * 60);
  }
}

TEST_CASE("once the waiting events are known, takes cost exactly what they cost without them") {
  support::AppDatabase app;
  app.db().exec(
      "insert into outbox_events (payload, ordering_key, due_at_ms) values ('{}', 'k', "
      "4000000000000);"
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000)"
      " insert into outbox_events (payload, ordering_key) select '{}', 'k' from n");
  constexpr outbox::core::Instant now{std::chrono::milliseconds{2'000'000'000'000}};
  outbox::storage::Store store{app.db().getHandle(), "track"};
  CHECK(store.take({}, now, {}).empty());
  CHECK(store.passed_over() == 9'000);
  outbox::storage::Store fresh{app.db().getHandle(), "elsewhere"};

  const auto take = [now](outbox::storage::Store& from) { CHECK(from.take({}, now, {}).empty()); };
  const std::int64_t known = steps_of(app.db().getHandle(), [&] { take(store); });
  const std::int64_t empty = steps_of(app.db().getHandle(), [&] { take(fresh); });
  CHECK(known <= empty + 20);
}

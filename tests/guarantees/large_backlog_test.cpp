// A backlog of any size goes through a small process, in order, each event once.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "storage/life/store.hpp"
#include "support/database.hpp"
#include "support/process.hpp"
#include "support/sanitized.hpp"
#include "support/steps.hpp"
#include "track_server/server.hpp"

// All of them in memory would be three times that. The benchmark has 200,000 and 10 million.
TEST_CASE("60,000 pending events drain in order, each once, in less than 32 MiB") {
  const std::size_t count = support::is_sanitized ? 20'000 : 60'000;
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

constexpr outbox::core::Instant now{std::chrono::milliseconds{2'000'000'000'000}};

// What a round does with the queue, without the endpoint.
struct Taker {
  explicit Taker(SQLite::Database& database) : db{database.getHandle()}, store{db, "track"} {
    store.serve({.endpoint = "none"}, now);
  }

  // Takes, delivers, and records; returns how many events.
  std::size_t run() {
    outbox::core::SentBatch sent;
    outbox::storage::Changes changes;
    outbox::storage::Taken taken;
    takes.push_back(support::steps_of(db, [&] {
      outbox::storage::Take take = store.queue.take({}, now, claims);
      for (const auto& event : take.events) sent.ids.push_back(event.id);
      taken = std::move(take.taken);
      changes.waiting = std::move(take.waiting);
    }));
    const std::size_t count = sent.ids.size();
    sent.delivered = sent.ids;
    if (count > 0) changes.settlement.requests.push_back(std::move(sent));
    records.push_back(support::steps_of(db, [&] { store.ledger.record(changes, claims, now); }));
    taken.settle();
    return count;
  }

  sqlite3* db;
  outbox::storage::Claims claims;
  outbox::storage::Store store;
  std::vector<std::int64_t> takes;  // what each cost
  std::vector<std::int64_t> records;
};

struct Costs {
  std::int64_t most = 0;  // of one take, or of one transaction
  std::int64_t all = 0;
};

Costs sum(const Taker& taker) {
  Costs costs;
  for (const auto* steps : {&taker.takes, &taker.records}) {
    costs.most = std::max(costs.most, *std::max_element(steps->begin(), steps->end()));
    costs.all += std::accumulate(steps->begin(), steps->end(), std::int64_t{0});
  }
  return costs;
}

// The cost of delivering 1,000 free events, a hundred at each of ten places among those that wait
// for the head of a key.
Costs costs_beside(std::size_t blocked, std::int64_t due_at_ms) {
  support::AppDatabase app;
  app.db().exec(
      "begin; insert into outbox_events (payload, ordering_key, due_at_ms)"
      " values ('{}', 'k', 4000000000000)");  // the head is scheduled
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
  Taker taker{app.db()};
  for (std::size_t delivered = 0; delivered < 1'000;) delivered += taker.run();
  return sum(taker);
}

}  // namespace

TEST_CASE("a take costs the same beside 50,000 events that wait for the head of their key") {
  const std::size_t blocked = support::is_sanitized ? 20'000 : 50'000;
  for (const std::int64_t due_at_ms : {0, 5}) {
    CAPTURE(due_at_ms);
    const Costs without = costs_beside(0, due_at_ms);
    const Costs with = costs_beside(blocked, due_at_ms);

    // Each of them is moved out of the way once, at most 2,000 in one transaction.
    MESSAGE("steps: " << without.all << " without, " << with.all << " with; most in one take or"
                      << " transaction " << with.most);
    CHECK(with.most < 2'000 * 150);
    CHECK(with.all - without.all < static_cast<std::int64_t>(blocked) * 200);
  }
}

TEST_CASE("once events are known to wait, takes cost what they cost without them, in any process") {
  support::AppDatabase app;
  app.db().exec(
      "insert into outbox_events (payload, ordering_key, due_at_ms)"
      " values ('{}', 'k', 4000000000000);"
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000)"
      " insert into outbox_events (payload, ordering_key) select '{}', 'k' from n");
  Taker first{app.db()};
  for (int rounds = 0; rounds < 6; ++rounds) CHECK(first.run() == 0);
  CHECK(app.count("waits_as = 'waiting'") == 9'000);
  support::AppDatabase other;
  other.db().exec("insert into outbox_events (payload, due_at_ms) values ('{}', 4000000000000)");

  Taker known{app.db()};  // as another process would
  Taker empty{other.db()};
  known.run();
  empty.run();
  CHECK(known.takes.back() <= empty.takes.back() + 20);
}

#include <doctest/doctest.h>

#include <algorithm>

#include "storage/store.hpp"
#include "support/database.hpp"

using outbox::core::Instant;
using outbox::storage::Store;
using Ids = std::vector<std::int64_t>;

namespace {

constexpr Instant now{std::chrono::milliseconds{1'000'000}};

class Table {
 public:
  std::int64_t add(const std::string& key = {}, std::int64_t due_at_ms = 0) {
    SQLite::Statement insert{app.db(),
                             "insert into outbox_events (payload, ordering_key, due_at_ms)"
                             " values ('{\"n\":1}', nullif(?, ''), ?)"};
    insert.bind(1, key);
    insert.bind(2, due_at_ms);
    insert.exec();
    return app.db().getLastInsertRowid();
  }
  void deliver(const Ids& ids) { store.record({.delivered = ids}, now); }
  /// As a person does, or a statement by hand.
  void change(const std::string& assignment, std::int64_t id) {
    app.db().exec("update outbox_events set " + assignment + " where id = " + std::to_string(id));
    store.look_behind();
  }
  Ids take(std::size_t events_max, const Ids& in_flight = {}) {
    Ids ids;
    for (const auto& event :
         store.take({.events_max = events_max}, now, {in_flight.begin(), in_flight.end()})) {
      ids.push_back(event.id);
    }
    return ids;
  }

  support::AppDatabase app;
  Store store{app.db().getHandle(), "track"};
};

}  // namespace

TEST_CASE("events are taken in commit order, and again until they are marked") {
  Table table;
  for (int i = 0; i < 5; ++i) table.add();

  CHECK(table.take(3) == Ids{1, 2, 3});
  CHECK(table.take(3) == Ids{1, 2, 3});
  table.deliver({1, 2});
  CHECK(table.take(3) == Ids{3, 4, 5});
}

TEST_CASE("what is in flight is not taken") {
  Table table;
  for (int i = 0; i < 5; ++i) table.add();

  CHECK(table.take(2) == Ids{1, 2});
  CHECK(table.take(2, {1, 2}) == Ids{3, 4});
  CHECK(table.take(2, {1, 2, 3, 4}) == Ids{5});
  CHECK(table.take(2, {1, 2, 3, 4, 5}).empty());
  CHECK(table.take(9) == Ids{1, 2, 3, 4, 5});
}

TEST_CASE(
    "events that failed are taken again while others are in flight, once they are asked for") {
  Table table;
  for (int i = 0; i < 4; ++i) table.add();
  CHECK(table.take(2) == Ids{1, 2});
  CHECK(table.take(2, {1, 2}) == Ids{3, 4});

  table.store.take_again({1, 2});

  CHECK(table.take(9, {3, 4}) == Ids{1, 2});
}

TEST_CASE("a take stops at its limit of bytes, with one event at least") {
  Table table;
  for (int i = 0; i < 3; ++i) table.add();
  const auto two = table.store.take({.events_max = 9, .bytes_max = 8}, now, {});
  CHECK(two.size() == 2);
  CHECK(table.store.take({.events_max = 9, .bytes_max = 1}, now, {}).size() == 1);
}

TEST_CASE("an event of another destination or state is never taken") {
  Table table;
  table.app.db().exec("insert into outbox_events (payload, destination) values ('{}', 'other')");
  table.app.db().exec(
      "insert into outbox_events (payload, state) values ('{}', 1), ('{}', 2), ('{}', 3)");
  CHECK(table.take(9).empty());
}

TEST_CASE("a scheduled event is taken when it is due, and not before") {
  Table table;
  table.add({}, 1'000'001);
  table.add({}, 1'000'000);
  table.add({}, 1);
  CHECK(table.take(9) == Ids{2, 3});
  CHECK(table.store.next_due(now) == Instant{std::chrono::milliseconds{1'000'001}});
  CHECK(table.store.due_count(now) == 2);
}

TEST_CASE("a stream of new events does not starve scheduled ones, nor the other way round") {
  Table table;
  for (int i = 0; i < 100; ++i) table.add();
  for (int i = 0; i < 100; ++i) table.add({}, 5);

  const Ids taken = table.take(8);
  CHECK(std::count_if(taken.begin(), taken.end(), [](auto id) { return id > 100; }) == 2);

  int scheduled = 0;
  for (int i = 0; i < 8; ++i) {
    const Ids one = table.take(1);
    REQUIRE(one.size() == 1);
    scheduled += one.front() > 100 ? 1 : 0;
    table.deliver(one);
  }
  CHECK(scheduled == 2);
}

TEST_CASE("an event waits for an earlier one with its ordering key that is in flight") {
  Table table;
  table.add("k");
  table.add();
  table.add("k");
  table.add("l");

  CHECK(table.take(1) == Ids{1});
  CHECK(table.take(9, {1}) == Ids{2, 4});
  CHECK(table.take(9, {1, 2, 4}).empty());
  table.deliver({1});
  CHECK(table.take(9, {2, 4}) == Ids{3});
}

TEST_CASE("an event waits for an earlier one with its ordering key that is not yet due") {
  Table table;
  table.add("k", 2'000'000);
  table.add("k");
  table.add();

  CHECK(table.take(9) == Ids{3});
  table.deliver({3});
  CHECK(table.take(9).empty());
  table.change("due_at_ms = 1", 1);
  CHECK(table.take(9) == Ids{1, 2});
}

TEST_CASE("a dead head of an ordering key lets the others go") {
  Table table;
  table.add("k", 2'000'000);
  table.add("k");
  CHECK(table.take(9).empty());
  table.change("state = 2", 1);
  CHECK(table.take(9) == Ids{2});
}

TEST_CASE("an at-once event, a scheduled one and one more of a key keep their order") {
  Table table;
  table.add("k");
  table.add("k", 1);
  table.add("k");
  Ids all;
  for (int i = 0; i < 5; ++i) {
    const Ids taken = table.take(9);
    all.insert(all.end(), taken.begin(), taken.end());
    table.deliver(taken);
  }
  CHECK(all == Ids{1, 2, 3});
}

TEST_CASE("a suspect is never taken with others, and its ordering key waits for it") {
  Table table;
  table.add("k");
  table.add("k");
  table.add();
  table.app.db().exec(
      "update outbox_events set suspect_batch = 5, attempts = 1, due_at_ms = 999 where id = 1");
  CHECK(table.take(9) == Ids{3});
  table.deliver({3});
  CHECK(table.take(9).empty());
  CHECK(table.store.take_these({1, 2}).empty());
  table.change("state = 2", 1);
  CHECK(table.take(9) == Ids{2});
}

TEST_CASE("a suspect's time comes with its due time, or with the evidence that is asked for") {
  using outbox::storage::Evidence;
  struct Row {
    std::int64_t accepted_batch;
    Evidence evidence;
    std::int64_t due_at_ms;
    std::int64_t lonely_failures;
    bool is_taken;
  };
  // Batch 5, a part of the search of batch 2, refused it.
  const Row rows[] = {
      {0, Evidence::after, 1'000'000, 0, true},   {0, Evidence::after, 1'000'001, 0, false},
      {6, Evidence::after, 1'000'001, 0, true},   {4, Evidence::after, 1'000'001, 0, false},
      {4, Evidence::around, 1'000'001, 0, true},  {2, Evidence::around, 1'000'001, 0, false},
      {6, Evidence::around, 1'000'001, 1, false},  // the endpoint failed at it: no refusal
      {0, Evidence::after, 9'000'000, 0, true},    // longer than any wait: a clock has jumped
  };
  Table table;
  table.add();
  table.app.db().exec(
      "insert into outbox_batches (id, destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, bytes, outcome, parent) values (5, 'track', 0, 0, 1, 1, 1, '1', 2, "
      "'refused', 2)");
  for (const Row& row : rows) {
    CAPTURE(row.accepted_batch);
    CAPTURE(row.due_at_ms);
    table.app.db().exec("update outbox_events set suspect_batch = 5, attempts = 3, due_at_ms = " +
                        std::to_string(row.due_at_ms) +
                        ", lonely_failures = " + std::to_string(row.lonely_failures));
    const auto suspect = table.store.take_suspect(
        {row.accepted_batch, row.evidence, std::chrono::minutes{10}}, now, {});
    CHECK(suspect.has_value() == row.is_taken);
    if (suspect) {
      CHECK(suspect->suspicion.batch == 5);
      CHECK(suspect->suspicion.since == 2);
      CHECK(suspect->suspicion.attempts == 3);
    }
  }
  CHECK_FALSE(table.store.take_suspect({9, Evidence::after, std::chrono::minutes{10}}, now, {1}));
}

TEST_CASE("what has expired is found in every part of the queue, the oldest first") {
  Table table;
  table.add();
  table.add({}, 500'000);
  table.add({}, 900'000);
  table.add();
  table.add();
  table.app.db().exec("update outbox_events set enqueued_at_ms = 400000 where id in (1, 4, 5)");
  table.app.db().exec(
      "update outbox_events set attempts = 1, suspect_batch = 1, due_at_ms = 2000000 where id = 4");
  const Instant cutoff{std::chrono::milliseconds{600'000}};
  CHECK(table.store.expired(cutoff, 9, {}) == Ids{1, 5, 2, 4});
  CHECK(table.store.expired(cutoff, 9, {1}) == Ids{5, 2, 4});
  CHECK(table.store.expired(cutoff, 1, {}) == Ids{1});
}

TEST_CASE("the parts of a search are taken as they are asked for, without what has left") {
  Table table;
  for (int i = 0; i < 4; ++i) table.add(i == 3 ? "k" : "");
  table.deliver({2});
  Ids taken;
  for (const auto& event : table.store.take_these({1, 2, 3, 4, 99})) taken.push_back(event.id);
  CHECK(taken == Ids{1, 3, 4});
}

TEST_CASE("thousands of waiting keys starve nobody") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 1'500; ++i) {
    table.add("key" + std::to_string(i), 2'000'000);
    table.add("key" + std::to_string(i));
  }
  const std::int64_t last = table.add();
  table.app.db().exec("commit");

  CHECK(table.take(9) == Ids{last});
  table.deliver({last});
  const std::int64_t later = table.add();
  CHECK(table.take(9) == Ids{later});
  table.change("due_at_ms = 0", 0);
  table.app.db().exec("update outbox_events set due_at_ms = 0 where due_at_ms > 0");
  Ids all = table.take(5'000);
  table.deliver(all);
  const Ids rest = table.take(5'000);
  CHECK(all.size() + rest.size() >= 3'001);
}

TEST_CASE("an event that was due before the last one, and committed after it, is taken soon") {
  Table table;
  table.add("k", 2'000'000);
  table.add("k", 500);  // waits, so that the walk is not over each time
  table.add({}, 900'000);
  CHECK(table.take(9) == Ids{3});
  table.deliver({3});
  const std::int64_t late = table.add({}, 800'000);
  CHECK(table.take(9).empty());
  Ids ids;
  for (const auto& event : table.store.take({}, now + std::chrono::seconds{2}, {})) {
    ids.push_back(event.id);
  }
  CHECK(ids == Ids{late});
}

TEST_CASE("a second look behind the cursor takes nothing twice, and keeps no new event waiting") {
  Table table;
  table.add("k", 2'000'000);
  for (int i = 0; i < 5; ++i) table.add("k");
  table.add();
  CHECK(table.take(9) == Ids{7});
  table.add();
  table.change("state = 1", 1);  // the head has gone, by hand
  table.add();
  const Ids taken = table.take(9, {7});
  CHECK(taken == Ids{2, 3, 4, 5, 6, 8, 9});
  CHECK(table.take(9, {2, 3, 4, 5, 6, 7, 8, 9}).empty());
}

TEST_CASE("where death blocks, a dead event between two of its key blocks the later one") {
  Table table;
  table.store.serve({.endpoint = "e", .on_dead = outbox::core::OnDead::blocks}, now);
  table.add("k");
  table.add("k");
  table.add("k");
  table.app.db().exec("update outbox_events set state = 2 where id = 2");
  CHECK(table.take(9) == Ids{1});
  table.deliver({1});
  CHECK(table.take(9).empty());
  table.change("state = 3", 2);
  CHECK(table.take(9) == Ids{3});
}

TEST_CASE("ids of someone's own choosing are taken too, also those below one") {
  Table table;
  table.app.db().exec("insert into outbox_events (id, payload) values (-5, '{}'), (0, '{}')");
  CHECK(table.take(9) == Ids{-5, 0});
}

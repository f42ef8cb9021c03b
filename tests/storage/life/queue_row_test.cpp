#include "storage/life/queue_row.hpp"

#include <doctest/doctest.h>

#include <utility>

#include "storage/life/table.hpp"

using outbox::core::QueuedEvent;
using outbox::core::QueueState;
using outbox::storage::find_queued;
using outbox::storage::NextOfKey;
using support::Table;

namespace {

std::optional<std::int64_t> free(Table& table, const std::string& key,
                                 const std::string& destination = "track") {
  return NextOfKey{table.person.getHandle()}.free(destination, key);
}

}  // namespace

TEST_CASE("the row of an event is found in whatever state it is") {
  struct Row {
    std::int64_t event_due_at_ms;  // in the log
    const char* change;
    QueueState state;
    std::int64_t due_at_ms;
  };
  const Row rows[] = {
      {0, "state = 0", QueueState::ready, 0},
      {500, "state = 0", QueueState::ready, 500},
      {500, "due_at_ms = 0", QueueState::ready, 0},  // a person had it sent now
      {0, "state = 1", QueueState::waiting, 0},
      {500, "state = 1", QueueState::waiting, 500},
      {500, "state = 2, due_at_ms = 0", QueueState::in_search, 0},
      {0, "state = 3, due_at_ms = 12345", QueueState::suspect, 12'345},
      {500, "state = 4, due_at_ms = 0", QueueState::dead, 0},
      {0, "state = 5", QueueState::discarded, 0},
  };
  Table table;
  for (const Row& row : rows) {
    CAPTURE(row.change);
    for (const char* key : {"", "k"}) {
      const std::int64_t id = table.add(key, row.event_due_at_ms);
      table.change(std::string{row.change} + ", enqueued_at_ms = 77", id);
      table.add();  // a neighbour
      auto found = find_queued(table.handle(), id);
      REQUIRE(found);
      CHECK(found->stored_at_ms > 77);  // as in the log
      CHECK(found->ordering_key == key);
      CHECK(outbox::core::are_same_row(
          *found,
          QueuedEvent{
              .id = id, .state = row.state, .due_at_ms = row.due_at_ms, .enqueued_at_ms = 77}));
    }
  }
}

TEST_CASE("what is delivered, erased or never was has no row in the queue") {
  Table table;
  table.add();
  table.deliver(1);
  CHECK_FALSE(find_queued(table.handle(), 1));
  CHECK_FALSE(find_queued(table.handle(), 2));
}

TEST_CASE("finding a row does not cost what is in the queue") {
  Table table;
  table.add_many(5'000);
  table.person.exec("update outbox_queue set state = event % 3 where event % 2 = 0");
  const auto steps = support::steps_of(table.handle(), [&] { find_queued(table.handle(), 4'000); });
  CHECK(steps < 500);
}

TEST_CASE("the first undelivered event of a key becomes ready, if it waits") {
  Table table;
  for (const char* key : {"k", "k", "k", "l"}) table.add(key);
  table.person.exec("update outbox_queue set state = 1 where event in (2, 3, 4)");

  CHECK_FALSE(free(table, "k"));  // its head is there
  table.person.exec("delete from outbox_queue where event = 1");
  CHECK(free(table, "k") == 2);
  CHECK(table.state_of(2) == "ready");
  CHECK(table.state_of(3) == "waiting");
  CHECK(table.state_of(4) == "waiting");
}

TEST_CASE("letting a key go once too often changes nothing") {
  Table table;
  table.add("k");
  table.add("k");
  table.change("state = 1", 2);
  table.change("state = 5", 1);
  CHECK(free(table, "k") == 2);
  CHECK_FALSE(free(table, "k"));
  CHECK_FALSE(free(table, "unknown"));
  CHECK_FALSE(free(table, ""));
  CHECK_FALSE(free(table, "k", "other"));
}

TEST_CASE("an event whose time has not come is let go with its own due time") {
  Table table;
  table.add("k");
  table.add("k", 2'000'000);
  table.change("state = 1", 2);
  table.change("state = 5", 1);
  CHECK(free(table, "k") == 2);
  CHECK(table.app.count("waits_as = 'ready' and due_at_ms = 2000000") == 1);
  CHECK(table.look(9).empty());
}

TEST_CASE("a suspect and an event in a search hold their key, a dead one only if death blocks") {
  struct Row {
    int state;
    bool blocks;
    bool is_free;
  };
  const Row rows[] = {
      {2, false, false}, {3, false, false}, {4, false, true}, {4, true, false}, {5, true, true}};
  for (const Row& row : rows) {
    CAPTURE(row.state);
    CAPTURE(row.blocks);
    Table table{
        {.endpoint = "endpoint",
         .on_dead = row.blocks ? outbox::core::OnDead::blocks : outbox::core::OnDead::unblocks}};
    table.add("k");
    table.add("k");
    table.change("state = " + std::to_string(row.state), 1);
    table.change("state = 1", 2);
    CHECK(free(table, "k").has_value() == row.is_free);
  }
}

TEST_CASE("a dead event holds the later ones of its key, not the earlier") {
  Table table{{.endpoint = "endpoint", .on_dead = outbox::core::OnDead::blocks}};
  for (int i = 0; i < 3; ++i) table.add("k");
  table.change("state = 1", 2);
  table.change("state = 4", 3);
  table.change("state = 5", 1);
  CHECK(free(table, "k") == 2);
}

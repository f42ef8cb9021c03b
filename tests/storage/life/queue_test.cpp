#include "storage/life/queue.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "storage/life/table.hpp"

using outbox::core::Ids;
using outbox::core::Instant;
using outbox::core::OnDead;
using outbox::core::ProbeLook;
using outbox::core::ProbeSource;
using outbox::core::QueueState;
using outbox::storage::Take;
using std::chrono::milliseconds;
using support::Table;

TEST_CASE("events are taken in commit order, and again until they are marked") {
  Table table;
  for (int i = 0; i < 5; ++i) table.add();

  CHECK(table.look(3) == Ids{1, 2, 3});
  CHECK(table.look(3) == Ids{1, 2, 3});
  table.deliver(2);
  CHECK(table.look(3) == Ids{3, 4, 5});
}

TEST_CASE("what is in flight is not taken") {
  Table table;
  for (int i = 0; i < 5; ++i) table.add();
  {
    const Take first = table.take(2);
    CHECK(Table::ids_of(first) == Ids{1, 2});
    const Take second = table.take(2);
    CHECK(Table::ids_of(second) == Ids{3, 4});
    const Take third = table.take(2);
    CHECK(Table::ids_of(third) == Ids{5});
    CHECK(table.look(2).empty());
  }
  CHECK(table.look(9) == Ids{1, 2, 3, 4, 5});
}

TEST_CASE("what goes back is taken again while others are in flight") {
  Table table;
  for (int i = 0; i < 4; ++i) table.add();
  Take first = table.take(2);
  const Take second = table.take(2);
  CHECK(Table::ids_of(second) == Ids{3, 4});

  first = {};

  CHECK(table.look(9) == Ids{1, 2});
}

TEST_CASE("a take says whether there may be more") {
  Table table;
  for (int i = 0; i < 3; ++i) table.add();
  CHECK(table.take(3).has_more);
  CHECK_FALSE(table.take(4).has_more);
}

TEST_CASE("a take stops at its limit of bytes, with one event at least") {
  Table table;
  for (int i = 0; i < 3; ++i) table.add();
  const auto events_of = [&](std::size_t bytes_max) {
    return table.store.queue
        .take({.events_max = 9, .bytes_max = bytes_max}, Table::now, table.claims)
        .events.size();
  };
  CHECK(events_of(8) == 2);
  CHECK(events_of(1) == 1);
}

TEST_CASE("an event of another destination or state is never taken with others") {
  Table table;
  table.app.db().exec("insert into outbox_events (payload, destination) values ('{}', 'other')");
  for (int state = 1; state <= 5; ++state) {
    table.change("state = " + std::to_string(state), table.add());
  }
  CHECK(table.look(9).empty());
}

TEST_CASE("what a take brings is what was stored") {
  Table table;
  table.app.db().exec(
      "insert into outbox_events (payload, kind, ordering_key, validated, enqueued_at_ms)"
      " values ('{\"a\":1}', 'identify', 'k', 1, 1700000000123), ('{}', null, null, 0, 0)");
  const Take take = table.take(9);
  REQUIRE(take.events.size() == 2);
  CHECK(take.events[0].payload == "{\"a\":1}");
  CHECK(take.events[0].kind == "identify");
  CHECK(take.events[0].ordering_key == "k");
  CHECK(take.events[0].is_validated);
  CHECK(outbox::core::unix_ms(take.events[0].enqueued_at) == 1'700'000'000'123);
  CHECK(take.events[1].kind.empty());
  CHECK_FALSE(take.events[1].is_validated);
}

TEST_CASE("a scheduled event is taken once, when it is due, and not before") {
  Table table;
  table.add({}, 1'000'001);
  table.add({}, 1'000'000);
  table.add({}, 1);

  CHECK(table.look(9) == Ids{2, 3});
  CHECK(table.store.queue.next_due(Table::now) == Instant{milliseconds{1'000'001}});
  CHECK(table.store.queue.remaining_count(Table::now) == 2);
  CHECK(table.store.queue.has_due(Table::now));

  table.deliver(9);
  CHECK_FALSE(table.store.queue.has_due(Table::now));
  CHECK(table.store.queue.remaining_count(Table::now) == 0);
  CHECK_FALSE(table.store.queue.next_due(Table::now + milliseconds{1}));
}

TEST_CASE("a scheduled event that is committed late is taken at once when it is due already") {
  Table table;
  table.add({}, 900'000);
  CHECK(table.look(9) == Ids{1});
  table.deliver(9);
  const std::int64_t late = table.add({}, 800'000);
  CHECK(table.look(9) == Ids{late});
}

TEST_CASE("a stream of new events does not starve scheduled ones, nor the other way round") {
  Table table;
  for (int i = 0; i < 100; ++i) table.add();
  for (int i = 0; i < 100; ++i) table.add({}, 5);
  const auto is_scheduled = [](std::int64_t id) { return id > 100; };

  const Ids taken = table.look(8);
  CHECK(taken.size() == 8);
  CHECK(std::count_if(taken.begin(), taken.end(), is_scheduled) == 2);

  int scheduled = 0;
  for (int i = 0; i < 8; ++i) {
    Take one = table.take(1);
    REQUIRE(one.events.size() == 1);
    scheduled += is_scheduled(one.events.front().id) ? 1 : 0;
    table.deliver(std::move(one));
  }
  CHECK(scheduled == 2);
}

TEST_CASE("where only scheduled events are due, they fill the whole take, each once") {
  Table table;
  for (int i = 0; i < 6; ++i) table.add({}, 5);
  CHECK(table.look(8) == Ids{1, 2, 3, 4, 5, 6});
  CHECK(table.look(4) == Ids{1, 2, 3, 4});
}

TEST_CASE("events with one ordering key share a take, in order, and none of them waits") {
  Table table;
  table.add("k");
  table.add();
  table.add("k");
  const Take take = table.take(9);
  CHECK(Table::ids_of(take) == Ids{1, 2, 3});
  CHECK(take.waiting.empty());
}

TEST_CASE("an event waits for an earlier one of its key that is in flight, and is looked at once") {
  Table table;
  table.add("k");
  table.add();
  table.add("k");
  table.add("l");

  Take head = table.take(1);
  const Take others = table.take(9);
  CHECK(Table::ids_of(others) == Ids{2, 4});
  CHECK(table.state_of(3) == "waiting");
  CHECK(table.take(9).waiting.empty());

  table.deliver(std::move(head));
  CHECK(table.state_of(3) == "ready");
  CHECK(table.look(9) == Ids{3});
}

TEST_CASE("a waiting event goes when the head of its key is delivered, dies or is discarded") {
  Table table;
  table.add("k");
  table.add("k");
  table.add("k");
  const std::int64_t other = table.add();
  Take head = table.take(1);
  const Take in_flight = table.take(9);
  REQUIRE(Table::ids_of(in_flight) == Ids{other});

  SUBCASE("delivered") {
    table.deliver(std::move(head));
  }
  SUBCASE("dead") {
    table.kill(std::move(head));
  }
  SUBCASE("discarded by a person, while it was in flight") {
    table.discard(1);
    CHECK(table.look(9).empty());  // it may still arrive
    CHECK(table.state_of(2) == "ready");
    head = {};
  }

  CHECK(table.state_of(2) == "ready");
  CHECK(table.state_of(3) == "waiting");
  CHECK(table.look(9) == Ids{2, 3});  // and its follower shares the request
}

TEST_CASE("the followers of a head go with it as far as there is room, and the rest after them") {
  Table table;
  for (int i = 0; i < 5; ++i) table.add("k");
  Take head = table.take(1);
  CHECK(table.look(9).empty());
  table.deliver(std::move(head));

  Take three = table.take(3);
  CHECK(Table::ids_of(three) == Ids{2, 3, 4});
  CHECK(table.look(9).empty());
  table.deliver(std::move(three));
  CHECK(table.look(9) == Ids{5});
}

TEST_CASE("followers that were scheduled go with their head once they are due") {
  Table table;
  table.add("k");
  table.add("k", 500);
  table.add("k", 700);
  table.add("k", 2'000'000);
  table.person.exec("update outbox_queue set state = 1 where event > 1");
  CHECK(table.look(9) == Ids{1, 2, 3});
}

TEST_CASE("a follower is found without a walk through those that wait") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 3'000; ++i) table.add("a");
  for (int i = 0; i < 50; ++i) table.add("b");
  table.app.db().exec("commit");
  const Take head = table.take(1);
  table.person.exec("update outbox_queue set state = 1 where event not in (1, 3001)");
  const std::int64_t steps =
      support::steps_of(table.handle(), [&] { CHECK(Table::ids_of(table.take(60)).size() == 50); });
  CHECK(steps < 20'000);
}

TEST_CASE("two keys and events without one stay in commit order") {
  Table table;
  for (const char* key : {"k", "l", "k", "", "l", "k", ""}) table.add(key);
  Take heads = table.take(2);
  Take others = table.take(9);
  CHECK(Table::ids_of(others) == Ids{4, 7});
  table.deliver(std::move(others));
  const std::int64_t newest = table.add();

  table.deliver(std::move(heads));
  const Take two = table.take(2);
  CHECK(Table::ids_of(two) == Ids{3, 5});
  CHECK(table.look(9) == Ids{newest});  // 6 follows one that is in flight
}

TEST_CASE("an event waits for an earlier one of its key that is not yet due") {
  Table table;
  table.add("k", 2'000'000);
  table.add("k");
  table.add();

  CHECK(table.look(9) == Ids{3});
  table.deliver(9);
  CHECK(table.look(9).empty());
  CHECK(table.state_of(2) == "waiting");

  SUBCASE("until its time has come") {
    const Take take = table.store.queue.take({}, Instant{milliseconds{2'000'000}}, table.claims);
    CHECK(Table::ids_of(take) == Ids{1, 2});
  }
  SUBCASE("until a person has it sent now") {
    table.change("due_at_ms = 0", 1);
    CHECK(table.look(9) == Ids{1, 2});
  }
}

TEST_CASE("thousands of events under way use up none of the looks of a take") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 3'000; ++i) table.add();
  table.app.db().exec("commit");
  const Take first = table.store.queue.take({.events_max = 2'000}, Table::now, table.claims);
  const Take second = table.store.queue.take({.events_max = 900}, Table::now, table.claims);
  REQUIRE(second.events.size() == 900);

  table.add();  // so that the next take begins at the first one again

  CHECK(table.look(999).size() == 101);
}

TEST_CASE("a follower that is not yet due holds the ones behind it") {
  Table table;
  table.add("k");
  table.add("k", 2'000'000);
  table.add("k");
  CHECK(table.look(9) == Ids{1});
  table.deliver(9);
  CHECK(table.look(9).empty());
  const Take take = table.store.queue.take({}, Instant{milliseconds{2'000'000}}, table.claims);
  CHECK(Table::ids_of(take) == Ids{2, 3});
}

TEST_CASE("an at-once event, a scheduled one and one more of a key keep their order") {
  Table table;
  table.add("k");
  table.add("k", 1);
  table.add("k");
  Ids all;
  for (int i = 0; i < 5; ++i) {
    Take take = table.take(9);
    const Ids ids = Table::ids_of(take);
    all.insert(all.end(), ids.begin(), ids.end());
    table.deliver(std::move(take));
  }
  CHECK(all == Ids{1, 2, 3});
}

TEST_CASE("an ordering key waits for its suspect, and for its event in a search") {
  Table table;
  table.add("k");
  table.add("k");
  table.add();
  SUBCASE("a suspect") {
    table.change("state = 3, due_at_ms = 999, refusals = 1, refused_in = 5, search = 5", 1);
  }
  SUBCASE("an event in a search") {
    table.change("state = 2, search = 5", 1);
  }
  CHECK(table.look(9) == Ids{3});
  table.deliver(9);
  CHECK(table.look(9).empty());
  CHECK(Table::ids_of(table.store.queue.take_searched({2}, table.claims)).empty());
  table.discard(1);
  CHECK(table.look(9) == Ids{2});
}

TEST_CASE("where death blocks, a dead event between two of its key holds the later one") {
  Table table{{.endpoint = "endpoint", .on_dead = OnDead::blocks}};
  for (int i = 0; i < 3; ++i) table.add("k");
  table.change("state = 4", 2);

  CHECK(table.look(9) == Ids{1});
  table.deliver(9);
  CHECK(table.look(9).empty());
  CHECK(table.state_of(3) == "waiting");

  SUBCASE("until it is discarded") {
    table.discard(2);
  }
  SUBCASE("until death blocks no longer") {
    table.store.serve({.endpoint = "endpoint"}, Table::now);
  }
  CHECK(table.look(9) == Ids{3});
}

TEST_CASE("where death blocks, the death of a head wakes nobody") {
  Table table{{.endpoint = "endpoint", .on_dead = OnDead::blocks}};
  table.add("k");
  table.add("k");
  Take head = table.take(1);
  table.look(9);
  table.kill(std::move(head));
  CHECK(table.state_of(2) == "waiting");
  CHECK(table.look(9).empty());

  table.change("state = 0", 1);  // a person retries it
  CHECK(table.look(9) == Ids{1, 2});
}

TEST_CASE("where death does not block, what it held is found free by the next dispatcher") {
  Table table{{.endpoint = "endpoint", .on_dead = OnDead::blocks}};
  table.add("k");
  table.add("k");
  table.kill(table.take(1));
  CHECK(table.look(9).empty());
  REQUIRE(table.state_of(2) == "waiting");
  table.store.serve({.endpoint = "endpoint", .on_dead = OnDead::unblocks}, Table::now);
  CHECK(table.look(9) == Ids{2});
}

TEST_CASE("thousands of waiting keys starve nobody, and are looked at once") {
  Table table;
  table.app.db().exec("begin");
  for (int i = 0; i < 3'000; ++i) {
    table.add("key" + std::to_string(i), 2'000'000);
    table.add("key" + std::to_string(i));
  }
  const std::int64_t last = table.add();
  table.app.db().exec("commit");

  CHECK(table.take(9).has_more);
  CHECK(table.look(9) == Ids{last});
  table.deliver(9);
  const std::int64_t later = table.add();
  CHECK(support::steps_of(table.handle(), [&] { CHECK(table.look(9) == Ids{later}); }) < 1'000);
  table.deliver(9);

  table.person.exec("update outbox_queue set due_at_ms = 0");
  std::size_t rounds = 0;
  std::size_t delivered = 0;
  while (delivered < 6'000 && rounds < 20) {
    Take take = table.take(1'000);
    delivered += take.events.size();
    table.deliver(std::move(take));
    ++rounds;
  }
  CHECK(delivered == 6'000);
  CHECK(rounds == 6);  // each event with its follower
}

TEST_CASE("what became ready far before the others is taken while they are in flight") {
  Table table;
  table.add("k", 2'000'000);
  for (int i = 0; i < 5; ++i) table.add("k");
  table.add();
  const Take in_flight = table.take(9);
  CHECK(Table::ids_of(in_flight) == Ids{7});
  table.add();
  table.discard(1);
  table.add();

  const Take take = table.take(9);
  CHECK(Table::ids_of(take) == Ids{2, 3, 4, 5, 6, 8, 9});
  CHECK(table.look(9).empty());
}

TEST_CASE("a take beside many that are in flight does not walk over them again") {
  Table table;
  table.add_many(5'000);
  const Take first = table.take(2'000);
  const Take second = table.take(2'000);
  REQUIRE(second.events.back().id == 4'000);
  CHECK(support::steps_of(table.handle(), [&] { CHECK(table.look(1) == Ids{4'001}); }) < 1'000);
}

TEST_CASE("one take looks at some thousand rows at most, so that nobody waits long for it") {
  Table table;
  table.add_many(5'000);
  const Take take = table.take(64'000);
  CHECK(take.events.size() == 2'000);
  CHECK(take.has_more);
}

TEST_CASE("the parts of a search are taken as they are asked for, without what has left") {
  Table table;
  table.add();
  table.add();
  table.add("k");
  table.add();
  table.add();
  for (const int id : {1, 2, 3, 4}) table.change("state = 2, search = 7", id);
  table.discard(2);

  const Take part = table.store.queue.take_searched({1, 2, 3, 4, 5, 99}, table.claims);
  CHECK(Table::ids_of(part) == Ids{1, 3, 4});  // 5 is in no search
  CHECK(table.store.queue.take_searched({1, 3}, table.claims).events.empty());
}

TEST_CASE("a probe takes one event, from its place on the way from the oldest to the newest") {
  Table table;
  table.add_many(100);
  for (int id = 41; id <= 60; ++id) table.change("state = 2, search = 7", id);
  const std::int64_t now_ms = outbox::core::unix_ms(Table::now);
  for (int id = 61; id <= 70; ++id) {
    table.change("due_at_ms = " + std::to_string(now_ms - 100 + id), id);
  }
  table.change("due_at_ms = " + std::to_string(now_ms + 1), 71);
  struct Row {
    ProbeLook look;
    std::int64_t id;
  };
  const Row rows[] = {{{ProbeSource::ready, 0}, 1},        {{ProbeSource::ready, 1}, 100},
                      {{ProbeSource::ready, 0.25}, 25},    {{ProbeSource::ready, 0.5}, 72},
                      {{ProbeSource::in_search, 0}, 41},   {{ProbeSource::in_search, 1}, 60},
                      {{ProbeSource::in_search, 0.5}, 50}, {{ProbeSource::scheduled, 0}, 61},
                      {{ProbeSource::scheduled, 1}, 70},   {{ProbeSource::scheduled, 0.5}, 65}};
  for (const Row& row : rows) {
    CAPTURE(row.id);
    const auto probe = table.store.queue.take_probe(row.look, Table::now, table.claims);
    CHECK(Table::ids_of(probe.take) == Ids{row.id});
    CHECK(table.claims.contains(row.id));
    CHECK(probe.search.has_value() == (row.look.source == ProbeSource::in_search));
    if (probe.search) CHECK(*probe.search == 7);
  }
}

TEST_CASE("a probe passes over what is in flight, and over what waits for its key") {
  Table table;
  table.add("k");
  table.add("k");
  table.add("k");
  table.add();
  const auto probe = [&](ProbeSource source) {
    return table.store.queue.take_probe({source, 0}, Table::now, table.claims);
  };
  const Take in_flight = table.take(1);
  const auto ready = probe(ProbeSource::ready);
  CHECK(Table::ids_of(ready.take) == Ids{4});
  CHECK(ready.take.waiting.size() == 2);  // the first wakes them when it is delivered
  CHECK(probe(ProbeSource::ready).take.events.empty());
  CHECK(probe(ProbeSource::in_search).take.events.empty());
}

TEST_CASE("a probe finds what may go before its place, too, when nothing behind it may") {
  Table table;
  table.add("k");
  table.add();
  table.change("state = 2, search = 7", 1);
  for (int i = 0; i < 5; ++i) table.add("k");
  const auto probe =
      table.store.queue.take_probe({ProbeSource::ready, 1}, Table::now, table.claims);
  CHECK(Table::ids_of(probe.take) == Ids{2});
  CHECK(probe.take.waiting.size() == 1);
}

TEST_CASE("a probe tells what waits behind an event that does not go, 2,000 at most") {
  Table table;
  table.add("k");
  table.change("state = 2, search = 7", 1);
  for (int i = 0; i < 2'500; ++i) table.add("k");
  table.add();
  const auto probe =
      table.store.queue.take_probe({ProbeSource::ready, 0}, Table::now, table.claims);
  CHECK(probe.take.events.empty());
  CHECK(probe.take.waiting.size() == 2'000);
}

TEST_CASE("a suspect's time comes with its due time, or with the evidence that is asked for") {
  struct Row {
    std::int64_t accepted_request;
    bool counts_earlier_evidence;
    std::int64_t due_at_ms;
    std::int64_t solo_failures;
    bool is_taken;
  };
  // Request 5, a part of the search of request 2, was refused.
  const Row rows[] = {
      {0, false, 1'000'000, 0, true},
      {0, false, 1'000'001, 0, false},
      {6, false, 1'000'001, 0, true},
      {5, false, 1'000'001, 0, false},
      {4, true, 1'000'001, 0, true},
      {2, true, 1'000'001, 0, false},
      {6, true, 1'000'001, 1, false},  // the endpoint failed at it: it waits its time
      {0, false, 1'600'000, 0, false},
      {0, false, 1'600'001, 0, true},  // longer than any wait: a clock has jumped
  };
  Table table;
  table.add();
  for (const Row& row : rows) {
    CAPTURE(row.accepted_request);
    CAPTURE(row.due_at_ms);
    CAPTURE(row.solo_failures);
    table.change("state = 3, refused_in = 5, search = 2, refusals = 3, due_at_ms = " +
                     std::to_string(row.due_at_ms) +
                     ", solo_failures = " + std::to_string(row.solo_failures),
                 1);
    const auto suspect =
        table.store.queue.take_suspect({.accepted_request = row.accepted_request,
                                        .counts_earlier_evidence = row.counts_earlier_evidence,
                                        .wait_max = std::chrono::minutes{10}},
                                       Table::now, table.claims);
    CHECK(suspect.has_value() == row.is_taken);
    if (!suspect) continue;
    CHECK(suspect->take.events.front().id == 1);
    CHECK(suspect->suspicion.request == 5);
    CHECK(suspect->suspicion.since == 2);
    CHECK(suspect->suspicion.refusals == 3);
    CHECK(suspect->suspicion.solo_failures == row.solo_failures);
  }
}

TEST_CASE("a suspect is taken once, and not before an earlier event of its key") {
  Table table;
  table.add("k");
  for (const char* key : {"k", "", ""}) {
    table.change("state = 3, refused_in = 5, search = 2, refusals = 1, solo_failures = 0",
                 table.add(key));
  }
  const auto take = [&] {
    return table.store.queue.take_suspect({.wait_max = std::chrono::minutes{10}}, Table::now,
                                          table.claims);
  };
  const auto first = take();
  const auto second = take();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->take.events.front().id == 3);
  CHECK(second->take.events.front().id == 4);
  CHECK_FALSE(take());
}

TEST_CASE("what has expired is found in every part of the queue") {
  Table table;
  const auto add = [&](const std::string& state, std::int64_t enqueued_at_ms,
                       std::int64_t due_at_ms) {
    const std::int64_t id = table.add({}, due_at_ms);
    table.change("state = " + state + ", enqueued_at_ms = " + std::to_string(enqueued_at_ms), id);
    return id;
  };
  const std::int64_t old = 400'000;
  Ids expired;
  add("0", 5'000'000, 0);  // from the future: says nothing of those behind it
  expired.push_back(add("0", old, 0));
  expired.push_back(add("0", old, 500'000));
  add("0", old, 700'000);  // was due for less long
  add("0", old, 2'000'000);
  expired.push_back(add("1", old, 0));
  expired.push_back(add("1", old, 400'000));
  expired.push_back(add("2", old, 0));
  add("3", 700'000, 0);
  const std::int64_t suspect = add("3", old, 0);
  table.change("due_at_ms = 2000000", suspect);  // its next try
  expired.push_back(suspect);
  add("4", old, 0);
  add("5", old, 0);
  add("0", 800'000, 0);
  const Instant cutoff{milliseconds{600'000}};
  const auto ids_of = [&](std::size_t events_max) {
    Ids ids;
    for (const auto& event :
         table.store.queue.expired(cutoff, Table::now, events_max, table.claims)) {
      ids.push_back(event.id);
    }
    return ids;
  };

  CHECK(ids_of(99) == expired);
  CHECK(ids_of(1) == Ids{expired.front()});
  const Take in_flight = table.take(2);  // the one from the future, and the first that has expired
  CHECK(ids_of(99) == Ids(expired.begin() + 1, expired.end()));
}

TEST_CASE("an event that expires dies in whatever part of the queue it was") {
  Table table;
  for (int state = 0; state <= 3; ++state) {
    const std::int64_t id = table.add();
    table.change("state = " + std::to_string(state) + ", enqueued_at_ms = 1", id);
  }
  auto found = table.store.queue.expired(Table::now, Table::now, 99, table.claims);
  REQUIRE(found.size() == 4);
  outbox::core::Settlement settlement;
  for (const auto& event : found) settlement.dead.push_back({event.id, "expired"});
  outbox::storage::Taken taken{table.claims, std::move(found)};
  table.record(settlement);
  taken.settle();
  CHECK(table.app.count("state = 'dead' and last_error = 'expired'") == 4);
}

TEST_CASE("what remains is what is due, and the suspects, but not what waits behind them") {
  Table table;
  for (int state = 0; state <= 5; ++state) {
    table.change("state = " + std::to_string(state), table.add());
  }
  table.change("due_at_ms = 2000000", 4);  // the suspect's next try
  table.change("state = 1", table.add({}, 2'000'000));
  CHECK(table.store.queue.remaining_count(Table::now) == 3);
}

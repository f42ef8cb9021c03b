#include "storage/life/ledger.hpp"

#include <doctest/doctest.h>

#include "outbox/errors.hpp"
#include "storage/life/table.hpp"

using namespace outbox::core;
using outbox::Verdict;
using outbox::storage::Claims;
using outbox::storage::Store;
using outbox::storage::Take;
using std::chrono::milliseconds;
using support::Table;

namespace {

// Another event with the id of one that is gone, as in a file that was restored in place.
void replace(Table& table, std::int64_t id, std::int64_t enqueued_at_ms) {
  const std::string wanted = std::to_string(id);
  table.person.exec("delete from outbox_queue where event = " + wanted +
                    "; delete from outbox_events where id = " + wanted +
                    "; insert into outbox_events (id, payload, enqueued_at_ms) values (" + wanted +
                    ", '{\"another\":1}', " + std::to_string(enqueued_at_ms) + ")");
}

void hold(Table& table) {
  table.record(
      {.endpoint = {.hold = HoldState{.kind = outbox::HoldKind::backing_off, .reason = "HTTP 503"}},
       .changes_endpoint = true});
}

EndpointState endpoint_of(Table& table) {
  return table.store.destination.read().endpoint;
}

SentBatch request_of(Ids ids) {
  return {.ids = std::move(ids), .started = Table::now};
}

}  // namespace

TEST_CASE("delivered events leave the queue, and are counted and logged in one transaction") {
  Table table;
  table.add_many(3);
  Take take = table.take(2);

  table.record({.requests = {{.ids = {1, 2},
                              .bytes = 200,
                              .started = Table::now,
                              .outcome = {.verdict = Verdict::delivered,
                                          .response_id = "r-1",
                                          .warnings = "[\"w\"]",
                                          .status = 200,
                                          .took = milliseconds{7}},
                              .delivered = {1, 2}}}});

  CHECK(table.app.count("state = 'delivered'") == 2);
  CHECK(table.state_of(3) == "ready");
  CHECK(table.destination("delivered") == 2);
  CHECK(table.destination("delivered_total") == 2);
  CHECK(table.destination("requests_total") == 1);
  CHECK(table.app.text(
            "select ids || ' ' || first_id || ' ' || last_id || ' ' || delivered_ids || ' ' ||"
            " events || ' ' || bytes || ' ' || started_at_ms || ' ' || took_ms || ' ' || status ||"
            " ' ' || outcome || ' ' || response_id || ' ' || warnings from outbox_requests") ==
        "1-2 1 2 1-2 2 200 1000000 7 200 delivered r-1 [\"w\"]");
}

TEST_CASE("the request log says exactly what was delivered, neighbours and others") {
  Table table;
  table.add_many(9);
  const Take take = table.take(9);
  SentBatch sent = request_of({1, 2, 3, 4, 5, 7, 9});
  sent.delivered = {1, 3, 4, 5, 9};
  table.record({.requests = {sent, request_of({6, 8})}});

  CHECK(table.app.text("select delivered_ids from outbox_requests where id = 1") == "1,3-5,9");
  CHECK(table.number("select delivered_ids is null from outbox_requests where id = 2") == 1);
  CHECK(table.app.count("state = 'delivered'") == 5);
  CHECK(table.app.count("waits_as = 'ready'") == 4);
}

TEST_CASE("an event that a person erased while it was under way is not counted as delivered") {
  Table table;
  table.add_many(4);
  Take take = table.take(4);
  table.person.exec(
      "delete from outbox_queue where event = 3; delete from outbox_events where id = 3");

  table.deliver(std::move(take));

  CHECK(table.destination("delivered") == 3);
  CHECK(table.app.text("select delivered_ids from outbox_requests") == "1-2,4");
}

TEST_CASE("an event that was discarded while it was under way is delivered when it has arrived") {
  Table table;
  table.add_many(4);
  Take take = table.take(4);
  table.discard(2);

  table.deliver(std::move(take));

  CHECK(table.app.count("state = 'delivered'") == 4);
  CHECK(table.app.text("select delivered_ids from outbox_requests") == "1-4");
}

TEST_CASE("an event that a person moved while it was under way is delivered when it has arrived") {
  Table table;
  table.add({}, 500);
  table.add();
  Take take = table.take(2);
  table.change("due_at_ms = 0", 1);  // sent now
  table.change("state = 4", 2);      // by a dispatcher that was taken for dead

  table.deliver(std::move(take));

  CHECK(table.app.count("state = 'delivered'") == 2);
}

TEST_CASE(
    "an event that was moved to another destination is that one's, whatever became of it here") {
  Table table;
  table.add_many(3);
  Take take = table.take(3);
  table.person.exec(
      "update outbox_queue set destination = 'other'; update outbox_events set destination = "
      "'other'");

  table.record({.requests = {request_of({1, 2})},
                .dead = {{3, "cannot be sent"}},
                .suspects = {{.id = 2, .suspicion = {.refusals = 1}, .due = Table::now}}});
  table.deliver(std::move(take));

  CHECK(table.number(
            "select count(*) from outbox_queue where destination = 'other' and state = 0") == 3);
  CHECK(table.destination("delivered") == 0);
}

TEST_CASE("an event that was discarded while it was under way stays so when it did not arrive") {
  Table table;
  table.add_many(2);
  Take take = table.take(2);
  table.discard(1);
  table.discard(2);
  SentBatch sent = request_of({1, 2});
  table.record({.requests = {sent},
                .dead = {{1, "refused"}},
                .suspects = {{.id = 2, .suspicion = {.refusals = 1}, .due = Table::now}}});
  CHECK(table.app.count("state = 'discarded' and last_error is null") == 2);
}

TEST_CASE("a different event with the id of one that was sent is never marked") {
  struct Row {
    Ids sent;                     // enqueued at 100, 200, 300, 400
    std::int64_t replaced;        // one of them
    std::int64_t enqueued_at_ms;  // of the event that is there now
    std::int64_t delivered;       // of the others
  };
  const Row rows[] = {
      {{2}, 2, 5'000'000, 0},           // alone
      {{1, 2, 3, 4}, 2, 5'000'000, 3},  // one of neighbours
      {{1, 2, 3, 4}, 4, 5'000'000, 3},
      {{1, 2, 3, 4}, 2, 250, 3},  // by its time it could be one of them
      {{1, 2, 4}, 4, 150, 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.enqueued_at_ms);
    Table table;
    table.add_many(4);
    table.person.exec("update outbox_queue set enqueued_at_ms = event * 100");
    const Take take = table.take(4);
    replace(table, row.replaced, row.enqueued_at_ms);

    table.record({.requests = {Table::delivery_of(row.sent)}});

    CHECK(table.state_of(row.replaced) == "ready");
    CHECK(table.destination("delivered") == row.delivered);
  }
}

TEST_CASE("a different event with the id of one that was sent is not changed otherwise either") {
  Table table;
  table.add("k");
  table.add("k");
  table.person.exec("update outbox_queue set enqueued_at_ms = event * 100");
  const Take take = table.take(1);
  replace(table, 1, 5'000'000);
  SentBatch sent = request_of({1});
  SUBCASE("it does not die") {
    table.record({.requests = {sent}, .dead = {{1, "refused"}}});
  }
  SUBCASE("it is no suspect") {
    table.record({.requests = {sent}, .suspects = {{.id = 1, .due = Table::now}}});
  }
  SUBCASE("it is in no search") {
    sent.begun = Search::parse("1");
    table.record({.requests = {sent}});
  }
  SUBCASE("it does not wait") {
    table.record({{}, {{.id = 1, .enqueued_at_ms = 100, .ordering_key = "k"}}});
  }
  CHECK(table.state_of(1) == "ready");
}

TEST_CASE("recording the same changes twice delivers and counts each event once") {
  Table table;
  table.add_many(4);
  const Take take = table.take(4);
  const Settlement settlement{
      .requests = {Table::delivery_of({1, 2}), request_of({3, 4})},
      .dead = {{3, "refused"}},
      .suspects = {{.id = 4, .suspicion = {.refusals = 1}, .request = 1, .due = Table::now}}};
  table.record(settlement);
  const auto states = [&] {
    return table.app.text(
        "select group_concat(coalesce(waits_as, state) || refusals) from outbox_event_states");
  };
  const std::string before = states();
  CHECK(before == "delivered0,delivered0,dead0,suspect1");

  table.record(settlement);

  CHECK(states() == before);
  CHECK(table.destination("delivered") == 2);
  CHECK(table.destination("delivered_total") == 2);
}

TEST_CASE("what could not be recorded is not recorded at all, and can be recorded later") {
  Table table;
  table.add_many(2);
  Take take = table.take(2);
  table.person.exec(
      "create trigger refuse before update on outbox_destinations"
      " begin select raise(abort, 'no room'); end");
  const Settlement settlement{.requests = {Table::delivery_of({1, 2})}};
  CHECK_THROWS_AS(table.record(settlement), outbox::database_error);
  CHECK(table.app.count("waits_as = 'ready'") == 2);
  CHECK(table.number("select count(*) from outbox_requests") == 0);

  table.person.exec("drop trigger refuse");
  table.record(settlement);

  CHECK(table.destination("delivered") == 2);
}

TEST_CASE("an event that cannot be sent is dead with its reason, and since when") {
  Table table;
  table.add();
  const Take take = table.take(1);
  table.record({.dead = {{1, "unsendable: user_id: required"}}});
  CHECK(table.app.count("state = 'dead' and last_error = 'unsendable: user_id: required'"
                        " and settled_at_ms = 1000000 and refusals = 0") == 1);
}

TEST_CASE("an event that dies of its refusals keeps their number") {
  Table table;
  table.add();
  const Take take = table.take(1);
  table.record({.requests = {request_of({1})},
                .dead = {{1, "refused: why", Suspicion{.refusals = 2, .solo_failures = 1}}}});
  CHECK(table.app.count("state = 'dead' and refusals = 2 and solo_failures = 1") == 1);
}

TEST_CASE("an event waits only while something of its key is before it") {
  Table table;
  table.add("k");
  table.add("k");
  Take head = table.take(1);
  const Take none = table.store.queue.take({.events_max = 9}, Table::now, table.claims);
  REQUIRE(none.waiting.size() == 1);
  SUBCASE("the head has left since") {
    table.discard(1);
    head = {};
    table.record({{}, none.waiting});
    CHECK(table.state_of(2) == "ready");
    CHECK(table.look(9) == Ids{2});
  }
  SUBCASE("it has not") {
    table.record({{}, none.waiting});
    CHECK(table.state_of(2) == "waiting");
  }
}

TEST_CASE("a suspect is pending, and waits for its own time with what is held against it") {
  Table table;
  table.add_many(3);
  const Take take = table.take(3);
  table.record({.requests = {Table::delivery_of({1}), request_of({2}), request_of({3})},
                .suspects = {{.id = 2,
                              .suspicion = {.refusals = 2, .solo_failures = 1},
                              .request = 1,
                              .due = Table::now + std::chrono::seconds{5},
                              .reason = "HTTP 400"},
                             {.id = 3, .suspicion = {.since = 77, .refusals = 1}, .request = 2}}});
  CHECK(table.app.count("state = 'pending' and waits_as = 'suspect' and refusals = 2"
                        " and solo_failures = 1 and due_at_ms = 1005000"
                        " and last_error = 'HTTP 400'") == 1);
  CHECK(table.number("select refused_in = 2 and search = 2 from outbox_queue where event = 2") ==
        1);
  CHECK(table.number("select refused_in = 3 and search = 77 from outbox_queue where event = 3") ==
        1);
  CHECK_FALSE(table.store.queue.has_due(Table::now));
}

TEST_CASE("a search lives in the row of the request that began it, until it has ended") {
  Table table;
  table.add_many(4);
  Take take = table.take(4);
  SentBatch refused = request_of({1, 2, 3, 4});
  refused.begun = Search::parse("1-2+3-4");
  table.record({.requests = {refused}});
  take = {};

  auto searches = table.store.destination.read().searches;
  REQUIRE(searches.size() == 1);
  const std::int64_t request = searches[0].request;
  CHECK(searches[0].search.text() == "1-2+3-4");
  CHECK(table.app.count("waits_as = 'in search'") == 4);
  CHECK(table.look(9).empty());

  const Take part = table.store.queue.take_searched({1, 2}, table.claims);
  SentBatch accepted = Table::delivery_of({1, 2});
  accepted.search = request;
  table.record({.requests = {accepted}, .searches = {{request, Search::parse("3+4")}}});
  CHECK(table.store.destination.read().searches.at(0).search.text() == "3+4");
  CHECK(table.number("select parent from outbox_requests where id = 2") == request);
  CHECK(table.app.count("state = 'delivered'") == 2);

  table.record({.searches = {{request, {}}}});
  CHECK(table.store.destination.read().searches.empty());
}

TEST_CASE("what is left when a search ends goes with the others again, at once") {
  Table table;
  table.add_many(4);
  {
    const Take take = table.take(2);
    SentBatch refused = request_of({1, 2});
    refused.begun = Search::parse("1+2");
    table.record({.requests = {refused}});
  }
  const Take in_flight = table.take(9);
  CHECK(Table::ids_of(in_flight) == Ids{3, 4});

  table.record({.searches = {{1, {}}}});

  CHECK(table.look(9) == Ids{1, 2});
}

TEST_CASE("the next event of a key is free as soon as the one before it has left, in any way") {
  Table table;
  for (const char* key : {"k", "k", "l", "l"}) table.add(key);
  Take heads = table.take(1);
  const Take other = table.take(1);
  REQUIRE(Table::ids_of(other) == Ids{3});
  table.look(9);
  REQUIRE(table.state_of(2) == "waiting");
  REQUIRE(table.state_of(4) == "waiting");

  table.record({.requests = {Table::delivery_of({1}), request_of({3})}, .dead = {{3, "refused"}}});

  CHECK(table.state_of(2) == "ready");
  CHECK(table.state_of(4) == "ready");
}

TEST_CASE("payloads are overwritten once they are delivered, if that is asked for") {
  Table table{{.endpoint = "endpoint", .scrubs = true}};
  table.add_many(3);
  table.deliver(2);
  CHECK(table.app.text("select group_concat(payload) from outbox_events") == "{},{},{\"n\":1}");
}

TEST_CASE("a hold is remembered by the next dispatcher, and lifted by a delivery") {
  Table table;
  const HoldState hold{.kind = outbox::HoldKind::backing_off,
                       .reason = "HTTP 503",
                       .since = Table::now,
                       .until = Table::now + std::chrono::seconds{9},
                       .tries = 3};
  const EndpointState endpoint{
      .hold = hold, .events_cap = 4, .bytes_cap = 50'000, .suspects = 3, .is_proven = false};
  table.record({.endpoint = endpoint, .changes_endpoint = true});
  CHECK(Store{table.person.getHandle(), "track"}.destination.read().endpoint == endpoint);

  table.record({.changes_endpoint = true});
  CHECK(endpoint_of(table) == EndpointState{});
}

TEST_CASE("a hold belongs to its endpoint: the same one keeps it, another one lifts it") {
  Table table;
  hold(table);
  table.store.serve({.endpoint = "endpoint"}, Table::now);
  CHECK(endpoint_of(table).hold);
  table.store.serve({.endpoint = "another"}, Table::now);
  CHECK_FALSE(endpoint_of(table).hold);
}

TEST_CASE("a changed URL is asked with one event first, and the first one ever is trusted") {
  Table table;
  CHECK(endpoint_of(table).is_proven);
  table.store.serve({.endpoint = "another"}, Table::now);
  CHECK_FALSE(endpoint_of(table).is_proven);
}

TEST_CASE("a pause is a person's, and stays under what the dispatcher records") {
  Table table;
  table.person.exec("update outbox_destinations set paused_at_ms = 5, probes_asked = 7");
  hold(table);
  const DestinationState paused = table.store.destination.read();
  CHECK(paused.is_paused);
  CHECK(paused.probes_asked == 7);
  CHECK(table.store.destination.is_paused());
  table.person.exec("update outbox_destinations set paused_at_ms = null");
  CHECK_FALSE(table.store.destination.is_paused());
  CHECK(endpoint_of(table).hold);
}

TEST_CASE("the newest acceptance is remembered until there is a newer one") {
  Table table;
  table.add_many(2);
  const Take take = table.take(2);
  table.record({.requests = {request_of({2}), Table::delivery_of({1})}, .accepted = 1});
  CHECK(table.store.destination.read().accepted_request == 2);
  table.record({.requests = {request_of({2})}});
  CHECK(table.store.destination.read().accepted_request == 2);
}

TEST_CASE("the request log is bounded, but keeps searches and what says what was delivered") {
  Table table;
  table.app.db().exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10199)"
      " insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, bytes, outcome, search, delivered_ids) select 'track', 0, 0, 1, 1, 1, '1', 2,"
      " 'refused', iif(i = 5, '1', null), iif(i = 7, '1', null) from n");
  table.add();
  const Take take = table.take(1);
  table.record({.requests = {request_of({1})}});
  CHECK(table.number("select count(*) from outbox_requests") == 10'002);
  CHECK(table.number("select count(*) from outbox_requests where id in (5, 7)") == 2);
  CHECK(table.number("select count(*) from outbox_requests where id between 1 and 200") == 2);
}

TEST_CASE("recording leaves last_insert_rowid as it was, and nothing to record writes nothing") {
  Table table;
  table.add();
  Take take = table.take(1);
  sqlite3_set_last_insert_rowid(table.handle(), 77);
  table.deliver(std::move(take));
  CHECK(sqlite3_last_insert_rowid(table.handle()) == 77);

  const int changes = sqlite3_total_changes(table.handle());
  table.record(Settlement{});
  CHECK(sqlite3_total_changes(table.handle()) == changes);
}

TEST_CASE("keys that death held back are let go a few at a time, and it can be gone on with") {
  constexpr int keys = 500;
  Table table{{.endpoint = "endpoint", .on_dead = OnDead::blocks}};
  table.app.db().exec("begin");
  for (int key = 0; key < keys; ++key) {
    for (int i = 0; i < 2; ++i) table.add("k" + std::to_string(key));
  }
  table.app.db().exec(
      "update outbox_queue set state = iif(event % 2 = 1, 4, 1), settled_at_ms = 1; commit");
  const auto waiting = [&] {
    return table.number("select count(*) from outbox_queue where state = 1");
  };

  int looks = 0;
  const auto is_over = [&] {
    table.person.exec("update outbox_destinations set removed = removed");  // others can write
    return ++looks == 2;
  };
  const outbox::storage::ServeOptions options{.endpoint = "endpoint", .is_over = is_over};
  CHECK_THROWS_WITH_AS(table.store.serve(options, Table::now),
                       "outbox: serve the destination: interrupted", outbox::database_error);
  CHECK(looks == 2);
  CHECK(waiting() == keys - 200);
  CHECK(table.destination("block_on_dead") == 1);

  looks = -10;
  table.store.serve(options, Table::now);
  CHECK(waiting() == 0);
  CHECK(table.destination("block_on_dead") == 0);
}

TEST_CASE("a copy of the database is noticed only while something is pending") {
  Table table{{.endpoint = "endpoint", .identity = "one"}};
  CHECK(table.store.serve({.endpoint = "endpoint", .identity = "two"}, Table::now));
  table.add();
  CHECK(table.store.serve({.endpoint = "endpoint", .identity = "two"}, Table::now));
  CHECK_FALSE(table.store.serve({.endpoint = "endpoint", .identity = "three"}, Table::now));
  CHECK_FALSE(table.store.destination.is_paused());
  CHECK_FALSE(table.store.serve(
      {.endpoint = "endpoint", .identity = "four", .foreign = outbox::storage::Foreign::is_paused},
      Table::now));
  CHECK(table.store.destination.is_paused());
}

TEST_CASE("the newest 10,000 requests that delivered nothing stay, however many have delivered") {
  Table table;
  table.app.db().exec(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20300)"
      " insert into outbox_requests (id, destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, delivered_ids, bytes, outcome) select i, 'track', 1, 1, 1, i, i, i,"
      " iif(i % 2, i, null), 1, 'refused' from n");
  for (int i = 0; i < 100; ++i) {
    table.add();
    const auto take = table.take(1);
    table.record({.requests = {{.ids = Table::ids_of(take)}}});
  }
  CHECK(table.number("select count(*) from outbox_requests where delivered_ids is not null") ==
        10'150);
  const auto kept =
      table.number("select count(*) from outbox_requests where delivered_ids is null");
  CHECK(kept >= 10'000);
  CHECK(kept < 10'100);
}

TEST_CASE("a requeue of many small requests makes no transaction that removes them all") {
  Table table;
  table.app.db().exec(
      "with recursive n (i) as (select 1 union all select i + 1 from n where i < 13000)"
      " insert into outbox_requests (id, destination, started_at_ms, took_ms, events, first_id,"
      " last_id, ids, bytes, outcome) select i, 'track', 1, 1, 1, i, i, i, 1, 'delivered' from n");
  std::int64_t most = 0;
  for (int i = 0; i < 200; ++i) {
    table.add();
    const auto take = table.take(1);
    const auto before = table.number("select count(*) from outbox_requests");
    table.record({.requests = {{.ids = Table::ids_of(take)}}});
    most = std::max(most, before - table.number("select count(*) from outbox_requests"));
  }
  CHECK(most > 400);
  CHECK(most <= 500);
}

TEST_CASE("a change that a trigger of the host's ignores is an error, and nothing is recorded") {
  Table table;
  table.add_many(2);
  const char* verb = "delete";
  bool expires = false;
  SUBCASE("a delivery") {}
  SUBCASE("a death") {
    verb = "update";
  }
  SUBCASE("the death of what has expired") {
    verb = "update";
    expires = true;
  }
  if (expires) table.change("enqueued_at_ms = 1", 1);
  table.person.exec(std::string{"create trigger keep_it before "} + verb +
                    " on outbox_queue begin select raise(ignore); end");
  outbox::storage::Take take;
  if (expires) {
    take.taken = outbox::storage::Taken{
        table.claims, table.store.queue.expired(Table::now, Table::now, 9, table.claims)};
  } else {
    take = table.take(9);
  }
  outbox::core::Settlement settlement;
  if (std::string_view{verb} == "delete") {
    settlement.requests = {Table::delivery_of(Table::ids_of(take))};
  } else {
    settlement.dead = {{1, "refused: why"}};
  }

  CHECK_THROWS_WITH_AS(table.record(settlement), doctest::Contains("ignored the change of event 1"),
                       outbox::database_error);

  CHECK(table.number("select count(*) from outbox_requests") == 0);
  CHECK(table.state_of(1) == "ready");
  table.person.exec("drop trigger keep_it");
  table.record(settlement);
  CHECK(table.state_of(1) != "ready");
  take.taken.settle();
}

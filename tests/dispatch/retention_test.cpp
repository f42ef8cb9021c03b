// What a dispatcher does for the queue beside delivering: it removes what is old, and scrubs what
// is delivered.

#include <doctest/doctest.h>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using support::endpoint_of;
using track_server::TrackServer;

namespace {

void fill_with_history(support::AppDatabase& app, std::size_t count) {
  app.enqueue_many(count);
  const std::string last = std::to_string(count);
  app.db().exec(
      "delete from outbox_queue;"
      "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, delivered_ids, bytes, outcome) values ('track', 1000, 0, " +
      last + ", 1, " + last + ", '1-" + last + "', '1-" + last +
      "', 2, 'delivered');"
      "insert into outbox_destinations (name, delivered, delivered_total) values ('track', " +
      last + ", " + last + ")");
}

}  // namespace

TEST_CASE("a dispatcher removes what was delivered long ago, and nothing younger") {
  TrackServer server;
  support::AppDatabase app;
  fill_with_history(app, 1'000);
  app.enqueue(support::event_of("new"));

  outbox::Dispatcher dispatcher{app.path(), endpoint_of(server)};

  CHECK(support::becomes_true([&] { return app.count("id <= 1000") == 0; }));
  CHECK(support::becomes_true([&] { return dispatcher.stats().delivered == 1; }));
  CHECK(app.count("1") == 1);
  const outbox::Counts counts = outbox::status(app.db()).counts;
  CHECK(counts.removed == 1'000);
  CHECK(counts.delivered == 1);
  CHECK(counts.enqueued == 1'001);
}

TEST_CASE("what is kept for ever is not removed; what is kept for no time is, at once") {
  TrackServer server;
  support::AppDatabase app;
  fill_with_history(app, 300);
  app.enqueue(support::event_of("new"));

  outbox::deliver_once(app.db(), endpoint_of(server), {.keep_delivered = std::nullopt});
  CHECK(app.count("1") == 301);
  outbox::deliver_once(app.db(), endpoint_of(server), {.keep_delivered = std::chrono::hours{1}});
  CHECK(app.count("1") == 1);
  outbox::deliver_once(app.db(), endpoint_of(server),
                       {.keep_delivered = std::chrono::milliseconds{0}});
  CHECK(app.count("1") == 0);
  CHECK_THROWS_AS(outbox::deliver_once(app.db(), endpoint_of(server),
                                       {.keep_delivered = std::chrono::milliseconds{-1}}),
                  std::invalid_argument);
}

TEST_CASE("a dispatcher that keeps nothing removes each event when it is delivered") {
  TrackServer server;
  support::AppDatabase app;
  outbox::Dispatcher dispatcher{
      app.path(), endpoint_of(server), {.keep_delivered = std::chrono::milliseconds{0}}};
  for (std::uint64_t i = 1; i <= 3; ++i) {  // not a minute later
    app.enqueue(support::event_of("user"));
    CHECK(support::becomes_true([&] { return dispatcher.stats().delivered == i; }));
    CHECK(support::becomes_true([&] { return app.count("1") == 0; }));
  }
}

TEST_CASE("a scrubbed event keeps its row and loses its payload when it is delivered") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue(support::amy());
  outbox::deliver_once(app.db(), endpoint_of(server), {.scrubs_delivered = true});
  CHECK(app.text("select state || payload from outbox_event_states") == "delivered{}");
  CHECK(server.event_count() == 1);
  CHECK(outbox::requeue(app.db(), outbox::Selection::all()) == 0);
}

TEST_CASE("two destinations of one database have their own endpoint, hold, pause and counters") {
  TrackServer track;
  TrackServer crm;
  crm.misbehave({.status = 401});
  support::AppDatabase app;
  app.enqueue(support::event_of("a"));
  app.enqueue(support::event_of("b"), {.destination = "crm"});
  app.enqueue(support::event_of("c"), {.destination = "typo"});
  outbox::pause(app.db(), "typo", {.reason = "who knows"});

  outbox::Dispatcher one{app.path(), endpoint_of(track)};
  outbox::Dispatcher two{app.path(), endpoint_of(crm), {.destination = "crm"}};
  CHECK(support::becomes_true(
      [&] { return one.stats().delivered == 1 && !two.stats().hold.empty(); }));
  const outbox::Status status = outbox::status(app.db());

  REQUIRE(status.destinations.size() == 3);
  CHECK(status.destinations[0].name == "crm");
  CHECK(status.destinations[0].hold->kind == outbox::HoldKind::unauthorized);
  CHECK(status.destinations[0].counts.pending == 1);
  CHECK(status.destinations[1].name == "track");
  CHECK_FALSE(status.destinations[1].hold);
  CHECK(status.destinations[1].counts.delivered == 1);
  CHECK(status.destinations[2].paused->reason == "who knows");
  CHECK_FALSE(status.destinations[2].was_ever_served);
  CHECK(outbox::explain(app.db(), 3)->waiting_for == outbox::WaitingFor::pause);
  crm.behave();
  outbox::nudge(app.db(), "crm");
  CHECK(support::becomes_true([&] { return two.stats().delivered == 1; }));
}

TEST_CASE("where death blocks its ordering key, the others wait until a person decides") {
  for (const bool blocks : {true, false}) {
    CAPTURE(blocks);
    TrackServer server;
    support::AppDatabase app;
    app.db().exec(
        "insert into outbox_events (payload, ordering_key) values ('{\"rubbish\":1}', 'k')");
    app.enqueue(support::event_of("later"), {.ordering_key = "k"});
    app.enqueue(support::event_of("free"));
    const outbox::DispatcherOptions options{.blocks_on_dead = blocks};

    outbox::deliver_once(app.db(), endpoint_of(server), options);
    CHECK(app.count("state = 'dead'") == 1);
    CHECK(server.event_count() == (blocks ? 1 : 2));
    if (!blocks) continue;
    CHECK(outbox::explain(app.db(), 2)->text.find("event 1") != std::string::npos);
    CHECK(outbox::explain(app.db(), 2)->waiting_for == outbox::WaitingFor::ordering_key);
    outbox::discard(app.db(), outbox::Selection::ids({1}), {"test", "rubbish"});
    outbox::deliver_once(app.db(), endpoint_of(server), options);
    CHECK(server.event_count() == 2);
  }
}

TEST_CASE("what keeps the dispatcher from removing does not keep it from delivering") {
  TrackServer server;
  support::AppDatabase app;
  fill_with_history(app, 10);
  app.db().exec(
      "create trigger keep before delete on outbox_events begin select raise(abort, 'no'); end");
  app.enqueue_many(500);

  std::mutex mutex;
  std::vector<std::string> warnings;
  outbox::DispatcherOptions options;
  options.observer = [&](const outbox::Notice& notice) {
    const std::lock_guard guard{mutex};
    if (notice.text.find("cannot be removed") != std::string::npos) warnings.push_back(notice.text);
  };
  outbox::Dispatcher dispatcher{app.path(), endpoint_of(server), options};

  CHECK(server.wait_for_events(500, support::long_enough));
  CHECK(app.count("id <= 10") == 10);
  CHECK(support::becomes_true([&] { return dispatcher.stats().delivered == 500; }));
  CHECK(support::becomes_true([&] {
    const std::lock_guard guard{mutex};
    return warnings.size() == 1;
  }));
  dispatcher.stop();
  CHECK(warnings.size() == 1);
  CHECK(warnings.at(0).find("no") != std::string::npos);
}

TEST_CASE("a discard lets followers go, and does not ask an endpoint on hold") {
  TrackServer server;
  server.misbehave({.status = 429, .retry_after = "3600"});
  support::AppDatabase app;
  app.enqueue_many(1'000);
  outbox::Dispatcher dispatcher{app.path(), endpoint_of(server)};
  REQUIRE(support::becomes_true([&] { return !dispatcher.stats().hold.empty(); }));
  const std::size_t requests = server.request_count();

  CHECK(outbox::discard(app.db(), outbox::Selection::all(), {"test", "enough"}) == 1'000);
  app.enqueue(support::event_of("later"));
  CHECK(support::becomes_true([&] {  // it has looked since
    return outbox::status(app.db()).destinations.at(0).dispatcher->last_round >
           std::chrono::system_clock::now() - std::chrono::milliseconds{100};
  }));
  CHECK(server.request_count() == requests);
}

// From an app's transaction to Kafka.

#include <doctest/doctest.h>

#include <set>

#include "outbox/kafka.hpp"
#include "sinks/kafka/cluster.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"

using kafka_test::Cluster;
using kafka_test::events_topic;

namespace {

outbox::Endpoint endpoint_for(const Cluster& cluster) {
  return outbox::kafka({.brokers = cluster.brokers(), .delivery_timeout = std::chrono::seconds{2}});
}

const outbox::DispatcherOptions relay = {.destination = "events"};

}  // namespace

TEST_CASE("events of any shape go from the app's transaction to Kafka, in commit order") {
  Cluster cluster{3};
  cluster.create(events_topic);
  support::AppDatabase app;
  app.enqueue_many(50, {.destination = "events", .ordering_key = "one"});
  app.db().exec(
      "insert into outbox_events (destination, kind, headers, payload) values"
      " ('events', 'order_paid', '{\"tenant\":\"t1\"}', '{\"total\":7}')");

  const auto report = outbox::deliver_once(app.path(), endpoint_for(cluster), relay);

  CHECK(report.delivered == 51);
  CHECK(app.count("state = 'delivered'") == 51);
  const auto stored = cluster.read(events_topic);
  REQUIRE(stored.size() == 51);
  std::size_t next = 0;
  std::set<std::string> ids;
  for (const auto& message : stored) {
    ids.insert(message.headers.at("id"));
    if (message.key != "one") continue;
    const std::string user = "user-" + std::to_string(next++);
    CHECK(message.value.find("\"" + user + "\"") != std::string::npos);
  }
  CHECK(next == 50);
  CHECK(ids.size() == 51);
  CHECK(app.number("select count(*) from outbox_events where event_id is null") == 0);
  CHECK(stored.back().value == R"({"total":7})");
  CHECK(stored.back().headers.at("type") == "order_paid");
  CHECK(stored.back().headers.at("tenant") == "t1");
}

TEST_CASE("events stay pending, without blame, while Kafka is down") {
  Cluster cluster;
  cluster.create(events_topic);
  cluster.down();
  support::AppDatabase app;
  app.enqueue_many(5, {.destination = "events"});

  const auto report =
      outbox::deliver_once(app.path(), endpoint_for(cluster), relay, std::chrono::seconds{0});

  CHECK(report.delivered == 0);
  CHECK(app.count("state = 'pending' and refusals = 0 and solo_failures = 0") == 5);
  cluster.up();
  CHECK(outbox::deliver_once(app.path(), endpoint_for(cluster), relay).delivered == 5);
  CHECK(cluster.read(events_topic).size() == 5);
}

TEST_CASE("a partition's batch that Kafka refuses once costs no event its life") {
  Cluster cluster;
  cluster.create(events_topic, 4);
  support::AppDatabase app;
  for (int i = 0; i < 40; ++i) {
    app.enqueue(support::event_of("u"),
                {.destination = "events", .ordering_key = std::to_string(i)});
  }
  // First the destination is proven, so that the second batch is a large one.
  CHECK(outbox::deliver_once(app.path(), endpoint_for(cluster), relay).delivered == 40);
  app.enqueue_many(40, {.destination = "events"});
  cluster.fail_next({RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_RECORD});

  outbox::Dispatcher dispatcher{app.path(), endpoint_for(cluster), relay};
  CHECK(support::becomes_true([&] { return app.count("state = 'delivered'") == 80; }));
  dispatcher.stop();

  CHECK(app.count("state = 'dead'") == 0);
  CHECK(cluster.read(events_topic, 4).size() == 80);
}

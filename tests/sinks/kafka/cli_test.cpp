// outbox … --to kafka://

#include <doctest/doctest.h>

#include "sinks/kafka/cluster.hpp"
#include "support/database.hpp"
#include "support/process.hpp"

using kafka_test::Cluster;
using support::Finished;

namespace {

Finished cli(const support::AppDatabase& app, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), OUTBOX_CLI);
  arguments.insert(arguments.end(), {"--db", app.path(), "--destination", "events"});
  return support::run(arguments);
}

bool has(const std::string& text, const char* part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the CLI relays to Kafka, with settings and CloudEvents") {
  Cluster cluster;
  cluster.create("my-events");
  support::AppDatabase app;
  app.enqueue_many(3, {.destination = "events"});

  const Finished drained =
      cli(app, {"drain", "--to", "kafka://" + cluster.brokers(), "--topic", "my-{destination}",
                "--format", "cloudevents", "--source", "/app", "--kafka-setting",
                "compression.type=gzip", "--kafka-setting", "client.id=me"});

  CAPTURE(drained.err);
  CHECK(drained.code == 0);
  const auto stored = cluster.read("my-events");
  REQUIRE(stored.size() == 3);
  CHECK(stored[0].headers.at("ce_source") == "/app");
  CHECK(stored[0].headers.at("id") == stored[0].headers.at("ce_id"));
}

TEST_CASE("the CLI says what is wrong with a relay to Kafka") {
  support::AppDatabase app;
  app.enqueue_many(1, {.destination = "events"});
  const auto drain = [&app](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"drain", "--to", "kafka://127.0.0.1:1"});
    return cli(app, flags);
  };
  const Finished unknown = drain({"--kafka-setting", "no.such=1"});
  CHECK(unknown.code == 2);
  CHECK(has(unknown.err, "no.such"));
  CHECK(has(drain({"--kafka-setting", "no value"}).err, "NAME=VALUE"));
  const Finished secret = drain({"--kafka-setting", "ssl.key.password=s3cret"});
  CHECK(secret.code == 2);
  CHECK_FALSE(has(secret.err, "s3cret"));
  CHECK(drain({"--user", "amy"}).code == 4);
  CHECK(has(cli(app, {"drain", "--to", "kafka://kafka.example:9092"}).err, "without TLS"));
  CHECK(has(cli(app, {"drain", "--to", "kafka://amy:s3cret@127.0.0.1:1"}).err, "user or password"));
}

TEST_CASE("outbox doctor connects to Kafka and sends nothing") {
  Cluster cluster;
  cluster.create("events");
  support::AppDatabase app;
  const Finished good =
      cli(app, {"doctor", "--online", "--to", "kafka://" + cluster.brokers(), "--topic", "events"});
  CHECK(has(good.out, ("connects to kafka://" + cluster.brokers()).c_str()));
  CHECK(cluster.read("events").empty());
  const Finished bad = cli(app, {"doctor", "--online", "--to", "kafka://127.0.0.1:1"});
  CHECK(has(bad.out, "kafka://127.0.0.1:1: Kafka: "));
}

// What the Kafka sink takes, and the message that it makes of an event.

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "examples/kafka_relay.hpp"
#include "outbox/kafka.hpp"
#include "outbox/sink.hpp"
#include "sinks/kafka/cluster.hpp"
#include "sinks/kafka_message.hpp"
#include "sinks/kafka_producer.hpp"
#include "support/files.hpp"

using outbox::KafkaOptions;
using outbox::MessageHeaders;

namespace {

// What `kafka` says of `options`; empty: it takes them.
std::string problem_with(const KafkaOptions& options) {
  try {
    static_cast<void>(outbox::kafka(options));
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

bool says(const KafkaOptions& options, const char* part) {
  const std::string problem = problem_with(options);
  CAPTURE(problem);
  return problem.find(part) != std::string::npos;
}

std::string secret() {
  return "s3cret";
}

}  // namespace

TEST_CASE("the Kafka sink takes addresses of brokers, and nothing else") {
  for (const char* brokers : {"127.0.0.1:9092", "localhost", "[::1]:9092,127.0.0.1:1"}) {
    CAPTURE(brokers);
    CHECK(problem_with({.brokers = brokers}).empty());
  }
  for (const char* brokers : {"", ",", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:9092/x",
                              "PLAINTEXT://127.0.0.1:9092", "me:s3cret@127.0.0.1:9092"}) {
    CAPTURE(brokers);
    CHECK(says({.brokers = brokers}, "brokers: "));
    CHECK_FALSE(says({.brokers = brokers}, "s3cret"));
  }
}

TEST_CASE("the Kafka sink leaves loopback with TLS only, unless it is told otherwise") {
  CHECK(says({.brokers = "kafka.example:9092"}, "brokers: without TLS"));
  CHECK(says({.brokers = "127.0.0.1:9092,kafka.example:9092"}, "brokers: without TLS"));
  CHECK(problem_with({.brokers = "kafka.example:9092", .settings = {{"security.protocol", "SSL"}}})
            .empty());
  CHECK(problem_with({.brokers = "kafka.example:9092", .plain_text = outbox::PlainText::to_anyone})
            .empty());
}

TEST_CASE("the Kafka sink keeps the settings on which its promise rests") {
  for (const char* name : {"acks", "request.required.acks", "enable.idempotence",
                           "bootstrap.servers", "sasl.password", "message.timeout.ms"}) {
    CAPTURE(name);
    CHECK(says({.settings = {{name, "1"}}}, name));
  }
  CHECK(problem_with({.settings = {{"compression.type", "gzip"}}}).empty());
  CHECK(says({.settings = {{"no.such.setting", "1"}}}, "no.such.setting"));
  CHECK(says({.settings = {{"compression.type", "s3cret"}}}, "compression.type"));
  CHECK_FALSE(says({.settings = {{"compression.type", "s3cret"}}}, "s3cret"));
}

TEST_CASE("settings that do not go with the sink's own are refused by name, as the client would") {
  struct Row {
    const char* name;
    const char* bad;
    const char* good;
  };
  const Row rows[] = {{"retries", "0", "1"},
                      {"message.send.max.retries", "0", "1"},
                      {"max.in.flight", "6", "5"},
                      {"max.in.flight.requests.per.connection", "1000", "1"},
                      {"queuing.strategy", "lifo", "FIFO"},
                      {"queue.buffering.backpressure.threshold", "2", "1"},
                      {"linger.ms", "25000", "100"},
                      {"queue.buffering.max.ms", "30000", "0"},
                      {"reconnect.backoff.ms", "1001", "1000"}};
  const outbox::sinks::WakeSignal signal;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const KafkaOptions bad{.brokers = "127.0.0.1:1", .settings = {{row.name, row.bad}}};
    CHECK(says(bad, (std::string{"settings: "} + row.name + ": ").c_str()));
    CHECK_THROWS_AS(outbox::sinks::KafkaProducer(bad, signal), outbox::sinks::KafkaTrouble);
    const KafkaOptions good{.brokers = "127.0.0.1:1", .settings = {{row.name, row.good}}};
    CHECK(problem_with(good).empty());
    CHECK_NOTHROW(outbox::sinks::KafkaProducer(good, signal));
  }
}

TEST_CASE("the Kafka sink says which option is wrong") {
  CHECK(says({.topic = "a b"}, "topic: "));
  CHECK(says({.topic = "{who}"}, "topic: "));
  CHECK(says({.topic = ""}, "topic: "));
  CHECK(says({.topic = std::string(250, 'a')}, "topic: "));
  CHECK(problem_with({.topic = std::string(249, 'a')}).empty());
  CHECK(says({.delivery_timeout = std::chrono::milliseconds{999}}, "delivery_timeout: "));
  CHECK(problem_with({.delivery_timeout = std::chrono::seconds{1}}).empty());
  CHECK(problem_with({.delivery_timeout = std::chrono::minutes{10}}).empty());
  CHECK(says({.delivery_timeout = std::chrono::milliseconds{600'001}}, "delivery_timeout: "));
  CHECK(says({.credentials = {.password = {.secret = secret}}}, "credentials: "));
  CHECK(says({.credentials = {.user = "amy"}}, "credentials: a user needs its password"));
  CHECK(says({.format = outbox::MessageFormat::cloudevents_binary, .source = ""}, "source: "));
}

TEST_CASE("the name of the Kafka sink holds brokers and topic, and no user or password") {
  const auto endpoint = outbox::kafka(
      {.brokers = "127.0.0.1:1", .credentials = {.user = "amy", .password = {.secret = secret}}});
  CHECK(endpoint.sink().name() == "kafka://127.0.0.1:1 outbox.event.{destination}");
}

namespace {

MessageHeaders headers_of(const outbox::sinks::KafkaMessage& message) {
  MessageHeaders headers;
  outbox::sinks::for_each_header(message, [&](std::string_view name, std::string_view value) {
    headers.emplace_back(name, value);
  });
  return headers;
}

}  // namespace

TEST_CASE("a Kafka message is what Debezium's outbox router makes of an event") {
  outbox::Batch batch = kafka_test::batch_of(2);
  batch.events[1].ordering_key = "order-1";
  batch.events[1].headers = R"({"traceparent":"00-1","id":"not the id","TYPE":"x"})";

  const auto message = outbox::sinks::messages_of(batch, {}).at(1);

  CHECK(message.route->topic == "outbox.event.events");
  CHECK(message.key == "order-1");
  CHECK(message.value == R"({"n":1})");
  CHECK(headers_of(message) == MessageHeaders{{"id", "id-1"},
                                              {"type", "thing_done"},
                                              {"content-type", "application/json"},
                                              {"traceparent", "00-1"},
                                              {"TYPE", "x"}});
}

TEST_CASE("a Kafka message can carry the attributes of CloudEvents") {
  const outbox::Batch batch = kafka_test::batch_of(1);
  const auto messages = outbox::sinks::messages_of(
      batch,
      {.topic = "t.{kind}", .format = outbox::MessageFormat::cloudevents_binary, .source = "/app"});
  CHECK(messages.at(0).route->topic == "t.thing_done");
  const MessageHeaders headers = headers_of(messages.at(0));
  REQUIRE(headers.size() == 8);
  CHECK(headers[3] == std::pair<std::string, std::string>{"ce_specversion", "1.0"});
  CHECK(headers[4] == std::pair<std::string, std::string>{"ce_id", "id-0"});
  CHECK(headers[5] == std::pair<std::string, std::string>{"ce_source", "/app"});
}

TEST_CASE("the options of docs/relay.md are those that are compiled here, and are taken") {
  const std::string example = support::source_text("tests/examples/kafka_relay.hpp");
  const std::string block = "```cpp\n" + example.substr(example.find("\n\n") + 2) + "```\n";
  CHECK(support::source_text("docs/relay.md").find(block) != std::string::npos);
  CHECK(events_to_kafka().sink().name() ==
        "kafka://kafka-1.example:9093,kafka-2.example:9093 outbox.event.{destination}");
}

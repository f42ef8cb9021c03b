// What Kafka refuses, and brokers that say nothing: neither is asked again and again.

#include <doctest/doctest.h>

#include <chrono>
#include <map>

#include "outbox/kafka.hpp"
#include "sinks/kafka/cluster.hpp"
#include "sinks/kafka_sink.hpp"

using kafka_test::batch_of;
using kafka_test::Cluster;
using kafka_test::events_topic;
using kafka_test::outcome_of;
using outbox::Verdict;
using outbox::sinks::KafkaSink;
using std::chrono::seconds;

TEST_CASE("after a topic that Kafka refuses, too, the next batch reads the password again") {
  Cluster cluster;
  cluster.create(events_topic);
  int reads = 0;
  KafkaSink sink{{.brokers = cluster.brokers(),
                  .credentials = {.user = "amy",
                                  .password = {.secret =
                                                   [&] {
                                                     ++reads;
                                                     return std::string{"s3cret"};
                                                   }}},
                  .settings = {{"security.protocol", "plaintext"}}}};
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  CHECK(reads == 1);
  cluster.fail_next({RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::unauthorized);
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  CHECK(reads == 2);
}

TEST_CASE("brokers that do not answer are asked once why they took nothing, not for each topic") {
  constexpr int batches = 16;
  Cluster cluster;
  cluster.delay(60'000);
  KafkaSink sink{
      {.brokers = cluster.brokers(), .topic = "t.{kind}", .delivery_timeout = seconds{1}}};
  for (int i = 0; i < batches; ++i) {
    outbox::Batch batch = batch_of(1);
    batch.events[0].kind = i % 2 == 0 ? "even" : "odd";
    sink.submit(static_cast<std::uint64_t>(i), std::move(batch));
  }
  const auto before = std::chrono::steady_clock::now();
  std::size_t replies = 0;
  for (int i = 0; i < batches && replies < batches; ++i) {
    for (const auto& reply : sink.collect(seconds{30})) {
      CHECK(reply.outcome.verdict == Verdict::unavailable);
      ++replies;
    }
  }
  CHECK(replies == batches);
  // The messages time out within some seconds; a second for each topic in turn would be 16 more.
  CHECK(std::chrono::steady_clock::now() - before < seconds{12});
}

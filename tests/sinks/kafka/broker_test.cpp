// The Kafka sink beside brokers that fail. They are librdkafka's mock cluster; no real broker has
// been tried.

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <set>

#include "outbox/kafka.hpp"
#include "sinks/kafka/cluster.hpp"
#include "sinks/kafka/refusing_broker.hpp"
#include "sinks/kafka_sink.hpp"
#include "support/eventually.hpp"

using kafka_test::batch_of;
using kafka_test::Cluster;
using kafka_test::events_topic;
using kafka_test::outcome_of;
using outbox::KafkaOptions;
using outbox::Outcome;
using outbox::Verdict;
using outbox::sinks::KafkaSink;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

KafkaOptions options_for(const Cluster& cluster, milliseconds timeout = seconds{25}) {
  return {.brokers = cluster.brokers(), .delivery_timeout = timeout};
}

// One request at a time: the mock does not check sequence numbers. Beside a request that fails it
// takes a later one, which a broker refuses; then the client believes that both were taken.
KafkaOptions careful_options_for(const Cluster& cluster) {
  KafkaOptions options = options_for(cluster);
  options.settings["max.in.flight"] = "1";
  return options;
}

std::size_t count_of(const Outcome& outcome, Verdict verdict) {
  std::size_t count = 0;
  for (const auto& event : outcome.events) count += event.verdict == verdict ? 1 : 0;
  return count;
}

// What becomes of batches of `events`, sent until it is `verdict`: for timeouts so short that a
// slow machine may need more than one.
Outcome outcome_in_the_end(KafkaSink& sink, int events, Verdict verdict) {
  Outcome outcome;
  CHECK(support::becomes_true([&] {
    outcome = outcome_of(sink, batch_of(events));
    return outcome.verdict == verdict;
  }));
  return outcome;
}

bool mentions(const Outcome& outcome, const char* part) {
  CAPTURE(outcome.reason);
  return outcome.reason.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Kafka has each event of a batch as a message, with its key and headers") {
  Cluster cluster{3};
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster)};
  outbox::Batch batch = batch_of(100);
  batch.events[5].ordering_key = "order-5";
  batch.events[5].headers = R"({"traceparent":"00-1"})";

  const Outcome outcome = outcome_of(sink, std::move(batch));

  CHECK(outcome.verdict == Verdict::delivered);
  CHECK(outcome.events.empty());
  CHECK(outcome.response_id == "outbox.event.events[0]@0");
  const auto stored = cluster.read(events_topic);
  REQUIRE(stored.size() == 100);
  CHECK(stored[5].key == "order-5");
  CHECK(stored[5].value == R"({"n":5})");
  CHECK(stored[5].headers.at("id") == "id-5");
  CHECK(stored[5].headers.at("type") == "thing_done");
  CHECK(stored[5].headers.at("content-type") == "application/json");
  CHECK(stored[5].headers.at("traceparent") == "00-1");
  CHECK_FALSE(stored[6].has_key);
}

TEST_CASE("the order per key is kept over batches that Kafka has to try again") {
  Cluster cluster{3};
  cluster.create(events_topic, 4);
  KafkaSink sink{careful_options_for(cluster)};
  for (int round = 0; round < 10; ++round) {
    outbox::Batch batch = batch_of(100);
    for (std::size_t i = 0; i < batch.events.size(); ++i) {
      auto& event = batch.events[i];
      event.ordering_key = "key-" + std::to_string(i % 7);
      event.event_id = std::to_string(round * 100 + static_cast<int>(i));
    }
    cluster.fail_next({RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
    REQUIRE(outcome_of(sink, std::move(batch)).verdict == Verdict::delivered);
  }
  std::map<std::string, int> last;
  std::map<std::string, int> partition;
  const auto stored = cluster.read(events_topic, 4);
  REQUIRE(stored.size() == 1'000);
  for (const auto& message : stored) {
    const int number = std::stoi(message.headers.at("id"));
    const auto [known, is_new] = last.emplace(message.key, number);
    CHECK((is_new || known->second < number));
    known->second = number;
    CHECK(partition.emplace(message.key, message.partition).first->second == message.partition);
  }
}

TEST_CASE("what Kafka can try again is delivered in the end") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{careful_options_for(cluster)};
  cluster.fail_next({RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                     RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                     RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
  CHECK(outcome_of(sink, batch_of(10)).verdict == Verdict::delivered);
  CHECK(cluster.read(events_topic).size() == 10);
}

TEST_CASE("what Kafka refuses in one request does not hinder the rest of the batch") {
  Cluster cluster;
  cluster.create(events_topic, 4);
  KafkaSink sink{options_for(cluster)};
  outbox::Batch batch = batch_of(100);
  for (auto& event : batch.events) event.ordering_key = event.event_id;
  cluster.fail_next({RD_KAFKA_RESP_ERR_INVALID_RECORD});

  const Outcome outcome = outcome_of(sink, std::move(batch));

  REQUIRE(outcome.events.size() == 100);
  // Of one message it is a refusal; of several nobody knows whose it is.
  const std::size_t refused =
      count_of(outcome, Verdict::refused) + count_of(outcome, Verdict::failed);
  CHECK(refused >= 1);
  CHECK(refused < 100);
  CHECK(count_of(outcome, Verdict::delivered) == 100 - refused);
  const auto stored = cluster.read(events_topic, 4);
  CHECK(stored.size() == 100 - refused);
  std::set<std::string> ids;
  for (const auto& message : stored) ids.insert(message.headers.at("id"));
  for (const auto& event : outcome.events) {
    const bool is_stored = ids.contains("id-" + std::to_string(event.index));
    CHECK(is_stored == (event.verdict == Verdict::delivered));
  }
}

TEST_CASE("a message that is too large for the client is refused, and the others are sent") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaOptions options = options_for(cluster);
  options.settings["message.max.bytes"] = "1000";
  KafkaSink sink{options};
  outbox::Batch batch = batch_of(2);
  batch.events[1].offset = batch.body.size();
  batch.events[1].bytes = 5'000;
  batch.body += std::string(5'000, ' ');

  const Outcome outcome = outcome_of(sink, std::move(batch));

  REQUIRE(outcome.events.size() == 2);
  CHECK(outcome.events[0].verdict == Verdict::delivered);
  CHECK(outcome.events[1].verdict == Verdict::refused);
  CHECK(outcome.events[1].reason == "Kafka MSG_SIZE_TOO_LARGE: Message size too large");
}

TEST_CASE("what is too large for the broker is refused because of its size") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster)};
  cluster.fail_next({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  const Outcome outcome = outcome_of(sink, batch_of(1));
  CHECK(outcome.verdict == Verdict::refused);
  CHECK(outcome.is_about_size);
  CHECK(outcome.has_arrived);
}

TEST_CASE("a topic that may not be written to is unauthorized, and is written to once it may") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster)};
  cluster.fail_next({RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  const Outcome outcome = outcome_of(sink, batch_of(3));
  CHECK(outcome.verdict == Verdict::unauthorized);
  CHECK(mentions(outcome, "TOPIC_AUTHORIZATION_FAILED"));
  // The old producer would refuse such a topic for about a second.
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
}

TEST_CASE("a topic that the brokers do not know is misconfigured") {
  Cluster cluster;
  cluster.set_topic_error(events_topic,
                          RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);  // else the mock has it
  KafkaOptions options = options_for(cluster);
  options.settings["topic.metadata.propagation.max.ms"] = "500";
  KafkaSink sink{options};
  const Outcome outcome = outcome_of(sink, batch_of(3));
  CHECK(outcome.verdict == Verdict::misconfigured);
  CHECK(mentions(outcome, "UNKNOWN_TOPIC"));
}

TEST_CASE("why nobody took a batch is what the brokers say of the topic") {
  Cluster cluster;
  cluster.create(events_topic);
  cluster.set_topic_error(events_topic, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  KafkaSink sink{options_for(cluster, seconds{1})};
  const Outcome outcome = outcome_in_the_end(sink, 3, Verdict::unauthorized);
  CHECK(mentions(outcome, "TOPIC_AUTHORIZATION_FAILED"));
  CHECK_FALSE(outcome.has_arrived);
}

TEST_CASE("brokers that are down are unavailable, and have the batch soon after they are up") {
  Cluster cluster{3};
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster, seconds{2})};
  outcome_in_the_end(sink, 1, Verdict::delivered);
  cluster.down();

  const Outcome outcome = outcome_of(sink, batch_of(3));

  CHECK(outcome.verdict == Verdict::unavailable);
  CHECK(mentions(outcome, "Kafka: "));
  CHECK_FALSE(outcome.has_arrived);
  cluster.up();
  outcome_in_the_end(sink, 3, Verdict::delivered);
}

TEST_CASE("a broker that nobody listens for is unavailable, and says so without a word to stderr") {
  const int kept = dup(STDERR_FILENO);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  dup2(ends[1], STDERR_FILENO);
  Outcome outcome;
  {
    KafkaSink sink{{.brokers = "127.0.0.1:1", .delivery_timeout = seconds{1}}};
    outcome = outcome_of(sink, batch_of(1));
  }
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(ends[1]);
  char said[64];
  CHECK(read(ends[0], said, sizeof(said)) == 0);
  close(ends[0]);
  CHECK(outcome.verdict == Verdict::unavailable);
  CHECK(mentions(outcome, "refused"));
  CHECK_FALSE(mentions(outcome, "after"));  // what changes at each try is left out
}

TEST_CASE("an answer that comes too late has failed, and may have arrived") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster, seconds{1})};
  outcome_in_the_end(sink, 1, Verdict::delivered);
  cluster.delay(60'000);
  const Outcome outcome = outcome_in_the_end(sink, 3, Verdict::failed);
  CHECK(outcome.reason == "Kafka: no answer in time");
  CHECK(outcome.has_arrived);
}

TEST_CASE("after a fatal error the batch has failed, and the next one has a new producer") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{careful_options_for(cluster)};
  REQUIRE(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  cluster.fail_next({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  const Outcome outcome = outcome_of(sink, batch_of(1));
  CHECK(outcome.verdict == Verdict::failed);
  CHECK(mentions(outcome, "OUT_OF_ORDER_SEQUENCE_NUMBER"));
  CHECK(outcome_of(sink, batch_of(10)).verdict == Verdict::delivered);
}

TEST_CASE("a password that cannot be had is unauthorized, and nothing is sent") {
  int refusals = 0;
  KafkaSink sink{{.credentials = {.user = "amy",
                                  .password = {.secret = []() -> std::string {
                                                 throw std::runtime_error{"s3cret"};
                                               },
                                               .refused = [&] { ++refusals; },
                                               .is_renewed = [] { return true; }}}}};
  const Outcome outcome = outcome_of(sink, batch_of(1));
  CHECK(outcome.verdict == Verdict::unauthorized);
  CHECK_FALSE(outcome.was_made);
  CHECK(outcome.reason == "Kafka: the credential callback failed");
  CHECK(refusals == 1);
  CHECK(sink.has_new_credential());
}

TEST_CASE("a password that the brokers refuse is unauthorized, and is read again") {
  const kafka_test::RefusingBroker broker;
  std::string password = "old-s3cret";
  int refusals = 0;
  KafkaSink sink{{.brokers = broker.address(),
                  .credentials = {.user = "amy",
                                  .password = {.secret = [&] { return password; },
                                               .refused = [&] { ++refusals; }}}}};
  const Outcome outcome = outcome_of(sink, batch_of(1));
  CHECK(outcome.verdict == Verdict::unauthorized);
  CHECK(outcome.reason == "Kafka _AUTHENTICATION: Authentication failure");
  CHECK_FALSE(outcome.has_arrived);
  CHECK(outcome.took < seconds{20});  // not only after the time for delivering
  CHECK(refusals == 1);
  password = "new-s3cret";
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::unauthorized);
  CHECK(broker.tried() == std::vector<std::string>{"old-s3cret", "new-s3cret"});
}

TEST_CASE("what the Kafka sink has forgotten is not sent later") {
  Cluster cluster;
  cluster.create(events_topic);
  KafkaSink sink{options_for(cluster)};
  REQUIRE(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  cluster.down();
  sink.submit(1, batch_of(10));
  sink.abort();
  cluster.up();
  CHECK(outcome_of(sink, batch_of(1)).verdict == Verdict::delivered);
  CHECK(cluster.read(events_topic).size() == 2);
}

TEST_CASE("waiting for Kafka ends when the sink is woken, and when what is watched is readable") {
  Cluster cluster;
  cluster.down();
  KafkaSink sink{options_for(cluster)};
  sink.submit(1, batch_of(1));
  sink.wake();
  CHECK(sink.collect(std::chrono::hours{1}).empty());
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  sink.watch(ends[0]);
  REQUIRE(write(ends[1], "x", 1) == 1);
  CHECK(sink.collect(std::chrono::hours{1}).empty());
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a forked child leaves the producer of its parent alone") {
  Cluster cluster;
  cluster.create(events_topic);
  auto sink = std::make_unique<KafkaSink>(options_for(cluster));
  REQUIRE(outcome_of(*sink, batch_of(1)).verdict == Verdict::delivered);
  const pid_t child = fork();
  if (child == 0) {
    sink->abort();
    sink.reset();
    _exit(0);
  }
  int status = -1;
  REQUIRE(support::becomes_true([&] { return waitpid(child, &status, WNOHANG) == child; }));
  CHECK(status == 0);
  CHECK(outcome_of(*sink, batch_of(1)).verdict == Verdict::delivered);
}

TEST_CASE("whether Kafka can be reached is found out without sending anything") {
  Cluster cluster;
  cluster.create("there");
  cluster.set_topic_error("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  CHECK(outbox::connection_problem(options_for(cluster)).empty());
  CHECK(outbox::connection_problem({.brokers = cluster.brokers(), .topic = "there"}).empty());
  CHECK(outbox::connection_problem({.brokers = cluster.brokers(), .topic = "missing"})
            .find("UNKNOWN_TOPIC") != std::string::npos);
  CHECK(outbox::connection_problem({.brokers = "127.0.0.1:1"}).find("refused") !=
        std::string::npos);
  CHECK(cluster.read("there").empty());
}

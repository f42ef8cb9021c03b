// What the client's reports mean, by a table, and what becomes of a batch of them.

#include <doctest/doctest.h>

#include "sinks/kafka_meaning.hpp"
#include "sinks/kafka_outcome.hpp"

using outbox::Verdict;
using outbox::sinks::KafkaFlight;
using outbox::sinks::RelayMeaning;

namespace {

constexpr auto not_stored = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
constexpr auto maybe_stored = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
constexpr auto stored = RD_KAFKA_MSG_STATUS_PERSISTED;

struct Row {
  rd_kafka_resp_err_t error;
  rd_kafka_msg_status_t status;
  Verdict verdict;
  bool has_arrived;
  bool is_about_size = false;
  bool is_silence = false;
};

const Row rows[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, stored, Verdict::delivered, true},

    {RD_KAFKA_RESP_ERR_INVALID_RECORD, not_stored, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, not_stored, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, not_stored, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, not_stored, Verdict::refused, true, true},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, not_stored, Verdict::refused, true, true},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, not_stored, Verdict::refused, true, true},

    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, not_stored, Verdict::unauthorized, true},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, not_stored, Verdict::unauthorized, true},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, not_stored, Verdict::unauthorized, true},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, not_stored, Verdict::unauthorized, false},

    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, not_stored, Verdict::misconfigured, true},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, not_stored, Verdict::misconfigured, true},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, not_stored, Verdict::misconfigured, true},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, not_stored, Verdict::misconfigured, true},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, not_stored, Verdict::misconfigured, true},
    {RD_KAFKA_RESP_ERR__SSL, not_stored, Verdict::misconfigured, false},

    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, not_stored, Verdict::unavailable, true},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, not_stored, Verdict::unavailable, true},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, not_stored, Verdict::unavailable, true},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, not_stored, Verdict::unavailable, false},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, not_stored, Verdict::unavailable, false},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, not_stored, Verdict::unavailable, false, false, true},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, maybe_stored, Verdict::failed, true, false, true},
    {RD_KAFKA_RESP_ERR__TRANSPORT, not_stored, Verdict::unavailable, false, false, true},
    {RD_KAFKA_RESP_ERR__TRANSPORT, maybe_stored, Verdict::failed, true, false, true},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, not_stored, Verdict::unavailable, false, false, true},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, maybe_stored, Verdict::unavailable, true, false, true},

    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, maybe_stored, Verdict::failed, true},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, maybe_stored, Verdict::failed, true},
    {RD_KAFKA_RESP_ERR_UNKNOWN, not_stored, Verdict::failed, true},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, maybe_stored, Verdict::failed, true, false,
     true},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, maybe_stored, Verdict::failed, true, false, true},
    {RD_KAFKA_RESP_ERR__FATAL, not_stored, Verdict::failed, false, false, true},
};

KafkaFlight flight_of(
    const std::vector<std::pair<rd_kafka_resp_err_t, rd_kafka_msg_status_t>>& answers) {
  KafkaFlight flight{.token = 1, .topic = "t"};
  for (const auto& [error, status] : answers) {
    flight.answers.push_back({.is_there = true, .error = error, .status = status});
  }
  return flight;
}

}  // namespace

TEST_CASE("each error of Kafka has the verdict of the table") {
  for (const Row& row : rows) {
    const std::string name = rd_kafka_err2name(row.error);
    CAPTURE(name);
    CAPTURE(row.status);
    const RelayMeaning meaning = outbox::sinks::meaning_of(row.error, row.status);
    CHECK(to_string(meaning.verdict) == std::string_view{to_string(row.verdict)});
    CHECK(meaning.has_arrived == row.has_arrived);
    CHECK(meaning.is_about_size == row.is_about_size);
    CHECK(meaning.is_silence == row.is_silence);
    CHECK(meaning.reason.empty() == (row.verdict == Verdict::delivered));
  }
}

TEST_CASE("what Kafka says of a topic is never held against events") {
  const auto unknown = outbox::sinks::meaning_of_trouble(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  CHECK(unknown.verdict == Verdict::misconfigured);
  CHECK_FALSE(unknown.has_arrived);
  CHECK(unknown.reason == "Kafka UNKNOWN_TOPIC_OR_PART: Unknown topic or partition");
  const auto odd = outbox::sinks::meaning_of_trouble(RD_KAFKA_RESP_ERR_UNKNOWN);
  CHECK(odd.verdict == Verdict::unavailable);
}

TEST_CASE("after a fatal error of Kafka the producer is at its end") {
  CHECK(outbox::sinks::ends_producer(RD_KAFKA_RESP_ERR__FATAL));
  CHECK(outbox::sinks::ends_producer(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER));
  CHECK_FALSE(outbox::sinks::ends_producer(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT));
  CHECK_FALSE(outbox::sinks::ends_producer(RD_KAFKA_RESP_ERR_NO_ERROR));
}

TEST_CASE("reports that are alike are one outcome") {
  const KafkaFlight flight = flight_of({{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, not_stored},
                                        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, not_stored}});
  const outbox::Outcome outcome = outbox::sinks::outcome_of(flight, std::nullopt, {});
  CHECK(outcome.verdict == Verdict::refused);
  CHECK(outcome.is_about_size);
  CHECK(outcome.has_arrived);
  CHECK(outcome.events.empty());
}

TEST_CASE("reports that differ are an outcome an event, and silence is not blamed on one") {
  const KafkaFlight flight = flight_of({{RD_KAFKA_RESP_ERR_NO_ERROR, stored},
                                        {RD_KAFKA_RESP_ERR_INVALID_RECORD, not_stored},
                                        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, maybe_stored},
                                        {RD_KAFKA_RESP_ERR_UNKNOWN, not_stored}});
  const outbox::Outcome outcome = outbox::sinks::outcome_of(flight, std::nullopt, {});
  REQUIRE(outcome.events.size() == 4);
  CHECK(outcome.events[0].verdict == Verdict::delivered);
  CHECK(outcome.events[1].verdict == Verdict::refused);
  CHECK(outcome.events[2].verdict == Verdict::unavailable);
  CHECK(outcome.events[3].verdict == Verdict::failed);
  CHECK(outcome.events[3].index == 3);
}

TEST_CASE("what Kafka says of a message that it does not store beside others makes it go alone") {
  const KafkaFlight flight = flight_of({{RD_KAFKA_RESP_ERR_NO_ERROR, stored},
                                        {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, not_stored},
                                        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, not_stored},
                                        {RD_KAFKA_RESP_ERR__QUEUE_FULL, not_stored},
                                        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, not_stored}});
  const outbox::Outcome outcome = outbox::sinks::outcome_of(flight, std::nullopt, {});
  REQUIRE(outcome.events.size() == 5);
  CHECK(outcome.events[1].verdict == Verdict::failed);
  CHECK(outcome.events[2].verdict == Verdict::failed);
  CHECK(outcome.events[3].verdict == Verdict::unavailable);
  CHECK(outcome.events[4].verdict == Verdict::unavailable);
  KafkaFlight none_stored = flight;
  none_stored.answers.erase(none_stored.answers.begin());
  const outbox::Outcome bad = outbox::sinks::outcome_of(none_stored, std::nullopt, {});
  REQUIRE(bad.events.size() == 4);
  CHECK(bad.events[0].verdict == Verdict::misconfigured);
  CHECK(bad.events[1].verdict == Verdict::unavailable);
}

TEST_CASE(
    "messages that are refused together have failed, and one that is refused alone is refused") {
  KafkaFlight flight = flight_of({{RD_KAFKA_RESP_ERR_NO_ERROR, stored},
                                  {RD_KAFKA_RESP_ERR_INVALID_RECORD, not_stored},
                                  {RD_KAFKA_RESP_ERR_INVALID_RECORD, not_stored},
                                  {RD_KAFKA_RESP_ERR_INVALID_RECORD, not_stored},
                                  {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, not_stored},
                                  {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, not_stored}});
  const std::int32_t partitions[] = {0, 1, 2, 2, -1, -1};  // the last two did not leave the client
  for (std::size_t i = 0; i < 6; ++i) flight.answers[i].partition = partitions[i];
  const outbox::Outcome outcome = outbox::sinks::outcome_of(flight, std::nullopt, {});
  REQUIRE(outcome.events.size() == 6);
  CHECK(outcome.events[1].verdict == Verdict::refused);
  CHECK(outcome.events[2].verdict == Verdict::failed);
  CHECK(outcome.events[3].verdict == Verdict::failed);
  CHECK(outcome.events[4].verdict == Verdict::refused);
  CHECK(outcome.events[5].verdict == Verdict::refused);
}

TEST_CASE("the cause of silence is that of the messages that were not sent, and of no others") {
  const KafkaFlight flight = flight_of({{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, not_stored},
                                        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, maybe_stored}});
  CHECK(outbox::sinks::has_silence(flight));
  const auto cause =
      outbox::sinks::meaning_of_trouble(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const outbox::Outcome outcome = outbox::sinks::outcome_of(flight, cause, {});
  REQUIRE(outcome.events.size() == 2);
  CHECK(outcome.events[0].verdict == Verdict::unauthorized);
  CHECK(outcome.events[1].verdict == Verdict::unavailable);
  CHECK(outcome.events[1].reason == "Kafka: no answer in time");
}

#include "sinks/kafka_meaning.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace outbox::sinks {

namespace {

struct Known {
  rd_kafka_resp_err_t error;
  Verdict verdict;
  bool is_about_size = false;
};

// kafka.apache.org/protocol, "Error Codes", and the client's own, which begin with an underscore.
// What the client tries again by itself comes only when it has given up.
constexpr Known known_errors[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, Verdict::delivered},

    {RD_KAFKA_RESP_ERR_INVALID_MSG, Verdict::refused},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Verdict::refused, true},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Verdict::refused},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, Verdict::refused},

    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Verdict::unauthorized},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, Verdict::unauthorized},  // idempotent writes
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, Verdict::unauthorized},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, Verdict::unauthorized},

    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, Verdict::misconfigured},  // not a topic's name
    {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, Verdict::misconfigured},  // no headers
    {RD_KAFKA_RESP_ERR_SECURITY_DISABLED, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, Verdict::misconfigured},
    {RD_KAFKA_RESP_ERR__SSL, Verdict::misconfigured},

    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR__RESOLVE, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, Verdict::unavailable},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, Verdict::unavailable},
};

std::string reason_of(rd_kafka_resp_err_t error) {
  std::string reason = "Kafka ";
  reason += rd_kafka_err2name(error);
  std::string_view text = rd_kafka_err2str(error);
  for (const std::string_view who : {"Broker: ", "Local: "}) {
    if (text.substr(0, who.size()) == who) text.remove_prefix(who.size());
  }
  reason += ": ";
  reason += text;
  return reason;
}

RelayMeaning meaning_by_table(rd_kafka_resp_err_t error) {
  const auto known = std::find_if(std::begin(known_errors), std::end(known_errors),
                                  [error](const Known& entry) { return entry.error == error; });
  // One that nobody has thought of: it failed, and more is not known.
  if (known == std::end(known_errors)) return {.reason = reason_of(error)};
  if (known->verdict == Verdict::delivered) return {.verdict = Verdict::delivered};
  return {
      .verdict = known->verdict, .reason = reason_of(error), .is_about_size = known->is_about_size};
}

// The client has it from them, and says it in its own name.
bool is_of_brokers(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

// The client gave up, lost the connection, or threw the message away.
bool is_of_silence(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
         error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
         error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT || ends_producer(error);
}

}  // namespace

bool ends_producer(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__STATE:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
      return true;
    default:
      return false;
  }
}

RelayMeaning meaning_of(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status) {
  RelayMeaning meaning = meaning_by_table(error);
  if (meaning.verdict == Verdict::delivered) return meaning;
  const bool may_be_stored = status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  // The client's own: no broker has read a message that cannot have been stored.
  if (error < RD_KAFKA_RESP_ERR__END && !is_of_brokers(error)) meaning.has_arrived = may_be_stored;
  meaning.is_silence = is_of_silence(error);
  if (error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT) {
    meaning.verdict = may_be_stored ? Verdict::failed : Verdict::unavailable;
    meaning.reason =
        may_be_stored ? "Kafka: no answer in time" : "Kafka: no broker took it in time";
  }
  return meaning;
}

RelayMeaning meaning_of_trouble(rd_kafka_resp_err_t error) {
  RelayMeaning meaning = meaning_by_table(error);
  meaning.has_arrived = false;
  meaning.is_silence = true;
  if (meaning.verdict == Verdict::failed || meaning.verdict == Verdict::refused) {
    meaning.verdict = Verdict::unavailable;  // nothing was published
  }
  return meaning;
}

}  // namespace outbox::sinks

#pragma once

// What the errors of Kafka mean. Pure.

#include <librdkafka/rdkafka.h>

#include <string>

#include "outbox/verdict.hpp"

namespace outbox::sinks {

struct KafkaMeaning {
  Verdict verdict = Verdict::failed;
  std::string reason = {};
  bool has_arrived = true;     ///< A broker may have read the message.
  bool is_about_size = false;  ///< Of the message, or of what the client sent it with.
  bool is_silence = false;     ///< No broker has said anything about the message.
};

/// Of the report of one message; `status` is how sure the client is that it was not stored.
KafkaMeaning meaning_of(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status);

/// The same where a broker or the client says it of a topic or a connection.
KafkaMeaning meaning_of_trouble(rd_kafka_resp_err_t error);

/// Whether the client takes nothing more after it, although it does not always say so.
bool ends_producer(rd_kafka_resp_err_t error);

}  // namespace outbox::sinks

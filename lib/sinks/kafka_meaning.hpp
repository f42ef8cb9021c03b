#pragma once

// What the errors of Kafka mean. Pure.

#include <librdkafka/rdkafka.h>

#include "sinks/relay_meaning.hpp"

namespace outbox::sinks {

/// Of the report of one message; `status` is how sure the client is that it was not stored.
RelayMeaning meaning_of(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status);

/// The same where a broker or the client says it of a topic or a connection.
RelayMeaning meaning_of_trouble(rd_kafka_resp_err_t error);

/// Whether the client takes nothing more after it, although it does not always say so.
bool ends_producer(rd_kafka_resp_err_t error);

}  // namespace outbox::sinks

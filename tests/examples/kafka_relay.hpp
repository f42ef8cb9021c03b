#pragma once

#include <outbox/kafka.hpp>

inline outbox::Endpoint events_to_kafka() {
  return outbox::kafka(
      {.brokers = "kafka-1.example:9093,kafka-2.example:9093",
       .credentials = {.user = "app", .password = outbox::from_file("kafka.password")},
       .settings = {{"security.protocol", "SASL_SSL"},
                    {"sasl.mechanism", "SCRAM-SHA-512"},
                    {"compression.type", "gzip"}}});
}

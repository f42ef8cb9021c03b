#pragma once

// An event as a Kafka message.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/kafka.hpp"
#include "outbox/sink.hpp"

namespace outbox::sinks {

/// Where events of one kind go.
struct KafkaRoute {
  std::string kind;
  std::string topic;
};

/// Views into the batch, which must outlive it: nothing is copied that need not be.
struct KafkaMessage {
  std::shared_ptr<const KafkaRoute> route;
  std::string_view key;  // empty: none
  std::string_view value;
  std::string_view event_id;
  MessageHeaders more_headers;  // after those that each message has
};

/// One for each event, in their order.
std::vector<KafkaMessage> messages_of(const Batch& batch, const KafkaOptions& options);

/// Calls `add(name, value)` for each header of `message`, in their order. The names of the first
/// are those of Debezium's outbox router.
template <typename Add>
void for_each_header(const KafkaMessage& message, Add add) {
  add(std::string_view{"id"}, message.event_id);
  add(std::string_view{"type"}, std::string_view{message.route->kind});
  add(std::string_view{"content-type"}, std::string_view{"application/json"});
  for (const auto& [name, value] : message.more_headers) {
    add(std::string_view{name}, std::string_view{value});
  }
}

}  // namespace outbox::sinks

#include "sinks/kafka_message.hpp"

#include <algorithm>
#include <utility>

namespace outbox::sinks {

namespace {

bool is_own(std::string_view name) {
  return name == "id" || name == "type" || name == "content-type";
}

// Consumers look at the last header of a name: one of the app's must not hide the sink's own.
MessageHeaders more_headers_of(const BatchEvent& event, const KafkaOptions& options) {
  MessageHeaders headers;
  if (options.format == MessageFormat::cloudevents_binary) {
    for (auto& [name, value] : cloudevents_attributes(event, options.source)) {
      std::string prefixed = "ce_";
      prefixed += name;
      headers.emplace_back(std::move(prefixed), std::move(value));
    }
  }
  if (event.headers.empty()) return headers;
  const auto attributes = static_cast<std::ptrdiff_t>(headers.size());
  for (auto& header : headers_of(event)) {
    const bool is_taken = std::any_of(headers.begin(), headers.begin() + attributes,
                                      [&](const auto& it) { return it.first == header.first; });
    if (!is_taken && !is_own(header.first)) headers.push_back(std::move(header));
  }
  return headers;
}

std::shared_ptr<const KafkaRoute> route_of(const Batch& batch, const BatchEvent& event,
                                           const KafkaOptions& options) {
  std::string kind = routed_kind(event);
  std::string topic = route(options.topic, batch.destination, kind);
  return std::make_shared<const KafkaRoute>(
      KafkaRoute{.kind = std::move(kind), .topic = std::move(topic)});
}

}  // namespace

std::vector<KafkaMessage> messages_of(const Batch& batch, const KafkaOptions& options) {
  std::vector<KafkaMessage> messages;
  messages.reserve(batch.events.size());
  std::shared_ptr<const KafkaRoute> way;  // of `kind`: neighbours are mostly alike
  const std::string* kind = nullptr;
  for (const BatchEvent& event : batch.events) {
    if (kind == nullptr || *kind != event.kind) way = route_of(batch, event, options);
    kind = &event.kind;
    messages.push_back({.route = way,
                        .key = event.ordering_key,
                        .value = batch.payload(event),
                        .event_id = event.event_id,
                        .more_headers = more_headers_of(event, options)});
  }
  return messages;
}

}  // namespace outbox::sinks

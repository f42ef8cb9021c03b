#include "sinks/nats_message.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "core/encoding.hpp"
#include "core/event/cloudevents.hpp"

namespace outbox::sinks {

namespace {

// A line break would begin a header of its own.
std::string on_one_line(const std::string& text) {
  return core::percent_encoded(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

}  // namespace

MessageHeaders nats_headers(const BatchEvent& event, const NatsOptions& options) {
  MessageHeaders headers = {{"Content-Type", "application/json"},
                            {"Outbox-Event-Id", message_id(event)}};
  if (!event.ordering_key.empty()) {
    headers.emplace_back("Outbox-Key", on_one_line(event.ordering_key));
  }
  if (options.format == MessageFormat::cloudevents_binary) {
    for (const auto& [name, value] : cloudevents_attributes(event, options.source)) {
      std::string prefixed = "ce-";
      prefixed += name;
      headers.emplace_back(std::move(prefixed), core::header_value(value));
    }
  }
  if (event.headers.empty()) return headers;
  for (auto& [name, value] : headers_of(event)) {
    const std::string& own = name;
    const bool is_there = std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
      return core::are_alike(header.first, own);
    });
    if (is_there || core::are_alike(std::string_view{own}.substr(0, 5), "Nats-")) continue;
    headers.emplace_back(std::move(name), std::move(value));
  }
  return headers;
}

}  // namespace outbox::sinks

#include "outbox/relay.hpp"

#include <algorithm>
#include <chrono>

#include "core/event/event_check.hpp"
#include "core/event/headers.hpp"
#include "core/event/timestamp.hpp"
#include "core/http/signature.hpp"

namespace outbox {
inline namespace v1 {

namespace {

std::string token_of(std::string_view text) {
  std::string token{text};
  std::replace_if(
      token.begin(), token.end(), [](char c) { return !core::is_name_character(c); }, '_');
  return token;
}

}  // namespace

MessageHeaders headers_of(const BatchEvent& event) {
  return core::headers_in(event.headers);
}

MessageHeaders cloudevents_attributes(const BatchEvent& event, const std::string& source) {
  const auto time = std::chrono::floor<std::chrono::microseconds>(event.enqueued_at);
  MessageHeaders attributes = {{"specversion", "1.0"},
                               {"id", event.event_id},
                               {"source", source},
                               {"type", routed_kind(event)},
                               {"time", core::utc_text(time)}};
  if (!event.ordering_key.empty()) attributes.emplace_back("partitionkey", event.ordering_key);
  return attributes;
}

std::string message_id(const BatchEvent& event) {
  return core::message_id(event.event_id);
}

std::string routed_kind(const BatchEvent& event) {
  return event.kind.empty() ? std::string{core::event_kind::track} : event.kind;
}

std::string route(std::string_view pattern, std::string_view destination, std::string_view kind) {
  const std::pair<std::string_view, std::string_view> names[] = {{"{destination}", destination},
                                                                 {"{kind}", kind}};
  std::string result;
  while (!pattern.empty()) {
    const auto name = std::find_if(std::begin(names), std::end(names), [&](const auto& candidate) {
      return pattern.substr(0, candidate.first.size()) == candidate.first;
    });
    if (name == std::end(names)) {
      result += pattern.front();
      pattern.remove_prefix(1);
    } else {
      result += token_of(name->second);
      pattern.remove_prefix(name->first.size());
    }
  }
  return result;
}

}  // namespace v1
}  // namespace outbox

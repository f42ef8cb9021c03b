#include "outbox/relay.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/event/event_check.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"

namespace outbox {
inline namespace v0 {

namespace {

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_header(const std::string& name, const std::string& value) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character) &&
         std::none_of(value.begin(), value.end(), is_control) && !core::first_invalid_utf8(value);
}

std::string token_of(std::string_view text) {
  std::string token{text};
  std::replace_if(
      token.begin(), token.end(), [](char c) { return !is_token_character(c); }, '_');
  return token;
}

}  // namespace

MessageHeaders headers_of(const BatchEvent& event) {
  MessageHeaders headers;
  if (event.headers.empty()) return headers;
  const auto json = nlohmann::ordered_json::parse(event.headers, nullptr, false);
  if (!json.is_object()) return headers;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string() || !is_header(name, value.get_ref<const std::string&>())) continue;
    headers.emplace_back(name, value.get<std::string>());
  }
  return headers;
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

std::string routed_kind(const BatchEvent& event) {
  return event.kind.empty() ? std::string{core::event_kind::track} : event.kind;
}

std::string route(std::string_view pattern, std::string_view destination, std::string_view kind) {
  constexpr std::string_view for_destination = "{destination}";
  constexpr std::string_view for_kind = "{kind}";
  std::string result;
  while (!pattern.empty()) {
    if (pattern.substr(0, for_destination.size()) == for_destination) {
      result += token_of(destination);
      pattern.remove_prefix(for_destination.size());
    } else if (pattern.substr(0, for_kind.size()) == for_kind) {
      result += token_of(kind);
      pattern.remove_prefix(for_kind.size());
    } else {
      result += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace v0
}  // namespace outbox

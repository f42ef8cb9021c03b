#include "sinks/nats_message.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::sinks {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool are_alike(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

template <class Must>
std::string percent_encoded(const std::string& text, Must must) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!must(byte)) {
      encoded += c;
      continue;
    }
    encoded += '%';
    encoded += digits[byte >> 4];
    encoded += digits[byte & 0xF];
  }
  return encoded;
}

// A line break would begin a header of its own.
std::string on_one_line(const std::string& text) {
  return percent_encoded(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// As the HTTP binding has it, which that of NATS repeats.
std::string as_attribute(const std::string& text) {
  return percent_encoded(
      text, [](unsigned char c) { return c <= 0x20 || c >= 0x7F || c == '"' || c == '%'; });
}

}  // namespace

MessageHeaders nats_headers(const BatchEvent& event, const NatsOptions& options) {
  MessageHeaders headers = {{"Content-Type", "application/json"}};
  if (!event.ordering_key.empty()) {
    headers.emplace_back("Outbox-Key", on_one_line(event.ordering_key));
  }
  if (options.format == MessageFormat::cloudevents_binary) {
    for (const auto& [name, value] : cloudevents_attributes(event, options.source)) {
      std::string prefixed = "ce-";
      prefixed += name;
      headers.emplace_back(std::move(prefixed), as_attribute(value));
    }
  }
  if (event.headers.empty()) return headers;
  for (auto& [name, value] : headers_of(event)) {
    const std::string& own = name;
    const bool is_there = std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
      return are_alike(header.first, own);
    });
    if (is_there || are_alike(std::string_view{own}.substr(0, 5), "Nats-")) continue;
    headers.emplace_back(std::move(name), std::move(value));
  }
  return headers;
}

}  // namespace outbox::sinks

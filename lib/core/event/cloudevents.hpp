#pragma once

// CloudEvents 1.0 in JSON and in HTTP headers (github.com/cloudevents/spec).

#include <string>
#include <string_view>

#include "core/encoding.hpp"
#include "outbox/relay.hpp"

namespace outbox::core {

/// One object of `attributes` and, as its data, `payload` byte for byte, which must be JSON.
std::string cloudevent(const MessageHeaders& attributes, std::string_view payload);

/// `value` as the HTTP binding writes it: percent-encoded where it is no visible ASCII, or a quote
/// or a percent sign (3.1.3.2).
inline std::string header_value(std::string_view value) {
  return percent_encoded(
      value, [](unsigned char c) { return c <= 0x20 || c >= 0x7F || c == '"' || c == '%'; });
}

}  // namespace outbox::core

#pragma once

// The headers of an event, as they are stored.

#include <string_view>

#include "outbox/sink.hpp"

namespace outbox::core {

/// Whether `c` may stand in a header's name, and in a token of a subject.
constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

/// Control characters, as they may not stand in the value of a header.
bool holds_control(std::string_view text);

/// The members of the JSON object `text`, in their order. What cannot be sent is left out: no text,
/// no name, control characters. Of a text that is no object: nothing.
MessageHeaders headers_in(std::string_view text);

}  // namespace outbox::core

#pragma once

// Letters and bytes in other writings. ASCII only, whatever the locale of the process is. Most of
// it is in this header, since relays are libraries of their own, and the main one exports none of
// its own functions.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower(std::string_view text) {
  std::string lowered{text};
  for (char& c : lowered) c = lower(c);
  return lowered;
}

/// Whether the two are the same but for upper and lower case.
constexpr bool are_alike(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

/// In lower case.
inline std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) / 16U];
    text += digits[static_cast<unsigned char>(c) % 16U];
  }
  return text;
}

/// `text` with "%41" for each byte of which `must(unsigned char)` is true (RFC 3986, 2.1).
template <class Must>
std::string percent_encoded(std::string_view text, Must must) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (must(byte)) {
      encoded += '%';
      encoded += digits[byte / 16U];
      encoded += digits[byte % 16U];
    } else {
      encoded += c;
    }
  }
  return encoded;
}

/// RFC 4648, 4: with padding.
std::string base64(std::string_view bytes);
/// None: `text` is no base64 with padding.
std::optional<std::string> base64_bytes(std::string_view text);

}  // namespace outbox::core

#include "core/event/text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "core/event/decode.hpp"

namespace outbox::core {

namespace {

constexpr std::string_view json_space = " \t\r\n";

unsigned byte_at(std::string_view text, std::size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
}

// The length of the well-formed sequence at `index`; 0: there is none. The bounds of the second
// byte keep out overlong forms, surrogates and what lies beyond U+10FFFF.
std::size_t sequence_length(std::string_view text, std::size_t index) {
  const auto is_tail = [&](std::size_t i) { return (byte_at(text, i) & 0xC0U) == 0x80U; };
  const auto is_between = [&](std::size_t i, unsigned low, unsigned high) {
    return byte_at(text, i) >= low && byte_at(text, i) <= high;
  };
  const unsigned lead = byte_at(text, index);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(index + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return is_between(index + 1, low, high) && is_tail(index + 2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return is_between(index + 1, low, high) && is_tail(index + 2) && is_tail(index + 3) ? 4 : 0;
  }
  return 0;
}

// Controls (C0, DEL, C1) and the marks that reorder or hide text on a terminal (CWE-150).
bool is_deceptive(std::string_view sequence) {
  const unsigned lead = byte_at(sequence, 0);
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  if (sequence.size() == 2) {
    return (lead == 0xC2 && byte_at(sequence, 1) < 0xA0) || sequence == "\u061C";
  }
  return sequence == "\u200B" || sequence == "\u200E" || sequence == "\u200F" ||
         (sequence >= "\u2028" && sequence <= "\u202E") ||
         (sequence >= "\u2060" && sequence <= "\u2069") || sequence == "\uFEFF";
}

bool is_address_character(char c) {
  return (std::isalnum(static_cast<unsigned char>(c)) != 0) || (c & 0x80) != 0 ||
         std::string_view{".!#$%&*+-/=?^_`{|}~'"}.find(c) != std::string_view::npos;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const bool is_ascii = static_cast<unsigned char>(text[i]) < 0x80;  // nearly always
    const std::size_t length = is_ascii ? 1 : sequence_length(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::string masked_addresses(std::string_view text) {
  std::string masked;
  std::size_t word = 0;  // where in `masked` the current address-like word begins
  for (const char c : text) {
    const bool is_quoted = c == '@' && masked.size() > 1 && masked.back() == '"';
    const std::size_t quote = is_quoted ? masked.rfind('"', masked.size() - 2) : std::string::npos;
    // Behind what is in no address, as in `amy\@achme.com`, the name is all up to a space.
    if (c == '@' && masked.size() == word) word = masked.find_last_of(" \t\r\n") + 1;
    if (quote != std::string::npos) {
      masked.replace(quote + 1, std::string::npos, "**");
    } else if (c == '@' && masked.size() > word) {
      const std::size_t first = std::max<std::size_t>(sequence_length(masked, word), 1);
      masked.replace(word + first, std::string::npos, "**");
    }
    masked += c;
    if (!is_address_character(c)) word = masked.size();
  }
  return masked;
}

std::string sanitised(std::string_view text, std::size_t bytes_max) {
  const std::string masked = masked_addresses(text);
  std::string clean;
  for (std::size_t i = 0; i < masked.size();) {
    const std::size_t length = sequence_length(masked, i);
    const std::string_view sequence =
        std::string_view{masked}.substr(i, std::max<std::size_t>(length, 1));
    const bool is_shown = length > 0 && !is_deceptive(sequence);
    const std::string_view shown = is_shown ? sequence : std::string_view{"?"};
    if (clean.size() + shown.size() > bytes_max) break;
    clean += shown;
    i += sequence.size();
  }
  return clean;
}

bool hides_address(std::string_view text) {
  const auto addresses_in = [](std::string_view view) {
    return std::count(view.begin(), view.end(), '@');
  };
  const auto letters_beyond_ascii = [](std::string_view view) {
    return std::count_if(view.begin(), view.end(), [](unsigned char c) { return c >= 0x80; });
  };
  const auto in_sight = addresses_in(text);
  std::string view{text};
  for (int i = 0; i < decodings_max; ++i) {
    std::string next = decoded(view);
    if (addresses_in(next) > in_sight) return true;
    // A mask ends at the code of a letter, and the name begins before that: "m\\u00fcller@…".
    if (in_sight > 0 && letters_beyond_ascii(next) > letters_beyond_ascii(view)) return true;
    view = std::move(next);
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(json_space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(json_space) - first + 1);
}

}  // namespace outbox::core

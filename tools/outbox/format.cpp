#include "format.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace cli {

namespace {

template <class... Values>
std::string printed(const char* format, Values... values) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::size_t letters_in(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string without_prefix(std::string_view text) {
  constexpr std::string_view prefix = "outbox: ";
  return std::string{text.substr(text.rfind(prefix, 0) == 0 ? prefix.size() : 0)};
}

std::string in_terms_of_flags(std::string_view text) {
  std::string problem = without_prefix(text);
  const std::size_t end = problem.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  if (end == std::string::npos || problem[end] != ':') return problem;
  std::string name = problem.substr(0, end);
  if (name == "requests_per_second_max") name = "requests_per_second";
  for (const char* one : {"timeout", "ack_timeout", "delivery_timeout"}) {
    if (name == one) name = "request_timeout";
  }
  std::replace(name.begin(), name.end(), '_', '-');
  return name + problem.substr(end);
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

bool wants_color(const Globals& globals) {
  const char* const term = std::getenv("TERM");
  const char* const no_color = std::getenv("NO_COLOR");
  return !globals.has_no_color && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view{term} != "dumb" && isatty(STDOUT_FILENO) != 0;
}

std::string how_long(std::chrono::milliseconds duration) {
  const double seconds = static_cast<double>(duration.count()) / 1000.0;
  if (seconds < 10) return printed("%.1f s", seconds);
  if (seconds < 120) return printed("%.0f s", seconds);
  if (seconds < 7'200) return printed("%.0f min", seconds / 60);
  if (seconds < 48 * 3'600) return printed("%.1f h", seconds / 3'600);
  return printed("%.0f d", seconds / 86'400);
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string how_large(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1024) return std::to_string(bytes) + " B";
  if (bytes < 1024 * 1024) return printed("%.1f KiB", value / 1024);
  if (bytes < 1024 * 1024 * 1024) return printed("%.1f MiB", value / (1024 * 1024));
  return printed("%.1f GiB", value / (1024.0 * 1024 * 1024));
}

std::size_t character_bytes(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (byte(0) < 0x80) return 1;
  const std::size_t bytes = byte(0) < 0xC2 ? 0 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  if (bytes == 0 || byte(0) > 0xF4) return 0;
  // Too long a form, a surrogate, or beyond U+10FFFF: seen in the second byte.
  const unsigned least = byte(0) == 0xE0 ? 0xA0 : byte(0) == 0xF0 ? 0x90 : 0x80;
  const unsigned most = byte(0) == 0xED ? 0x9F : byte(0) == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return bytes;
}

namespace {

// The code point at the start of `text` if a terminal might obey it (CWE-150), and its bytes; also
// a byte that is no UTF-8, which a terminal of 8 bits takes as it is.
struct Obeyed {
  unsigned code = 0;
  std::size_t bytes = 0;
};

Obeyed obeyed_at(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (character_bytes(text) == 0) return {byte(0), 1};
  if (byte(0) < 0x20 || byte(0) == 0x7F) return {byte(0), 1};
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) return {byte(1), 2};  // C1
  if (byte(0) == 0xD8 && byte(1) == 0x9C) return {0x061C, 2};
  if (byte(0) != 0xE2 || (byte(1) != 0x80 && byte(1) != 0x81)) return {};
  const unsigned code = 0x2000U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
  const bool is_bidi = code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
                       (code >= 0x2066 && code <= 0x2069);
  return is_bidi ? Obeyed{code, 3} : Obeyed{};
}

template <class Write>
std::string with_obeyed(std::string_view text, Write write) {
  std::string safe;
  while (!text.empty()) {
    const Obeyed found = obeyed_at(text);
    const std::size_t bytes = found.bytes == 0 ? character_bytes(text) : found.bytes;
    safe += found.bytes == 0 ? std::string{text.substr(0, bytes)} : write(found.code);
    text.remove_prefix(bytes);
  }
  return safe;
}

}  // namespace

std::string escaped(std::string_view text) {
  return with_obeyed(text, [](unsigned code) {
    return code < 0x100 ? printed("\\x%02X", code) : printed("\\u%04X", code);
  });
}

std::string json_escaped(std::string_view json) {
  return with_obeyed(json, [](unsigned code) { return printed("\\u%04x", code); });
}

std::string shell_quoted(const std::string& text) {
  constexpr auto plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:@%+=";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + "'";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> are_words;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    widths.resize(std::max(widths.size(), rows[row].size()));
    are_words.resize(widths.size());
    for (std::size_t i = 0; i < rows[row].size(); ++i) {
      const std::string& cell = rows[row][i];
      widths[i] = std::max(widths[i], letters_in(cell));
      const bool is_word = !cell.empty() && std::isalpha(static_cast<unsigned char>(cell[0])) != 0;
      are_words[i] = are_words[i] || i == 0 || (row > 0 && is_word);
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - letters_in(row[i]), ' ');
      line += "  " + (are_words[i] ? row[i] + padding : padding + row[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string attention(const std::string& text, const Globals& globals) {
  return wants_color(globals) ? "\033[1;33m" + text + "\033[0m" : text;
}

}  // namespace cli

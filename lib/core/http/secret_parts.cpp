#include "core/http/secret_parts.hpp"

#include <algorithm>

#include "core/encoding.hpp"
#include "core/event/decode.hpp"
#include "core/event/reader.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

constexpr std::size_t part_min = 8;  // shorter ones turn up by chance in texts that quote nothing

bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_of_word(char c) {
  return is_small(c) || is_capital(c) || is_digit(c);
}

// "orders", "Orders", "ORDERS", "v2", "2026".
bool is_word(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of("0123456789"));
  const std::string_view number = text.substr(word.size());
  if (!std::all_of(number.begin(), number.end(), is_digit)) return false;
  if (number.size() > (word.empty() ? 8 : 4)) return false;
  if (word.empty()) return true;
  return std::all_of(word.begin() + 1, word.end(), is_small) ||
         std::all_of(word.begin(), word.end(), is_capital);
}

// Where in `text` the first thing begins that is no word; its size: nowhere.
std::size_t first_odd(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end =
        std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_of_word) -
        text.begin();
    const auto next = static_cast<std::size_t>(end);
    if (!is_word(text.substr(at, next - at))) return at;
    at = next + 1;
  }
  return text.size();
}

// What "Token token=\"abc\"" says.
std::string_view unquoted(std::string_view text) {
  if (text.substr(0, 1) == "\"") text.remove_prefix(1);
  return text.substr(0, text.find('"'));
}

}  // namespace

std::vector<std::string> secrets_in_header(std::string_view value) {
  value = trimmed(value);
  std::vector<std::string> secrets{std::string{value}};
  const std::size_t scheme = value.find(' ');
  if (scheme == std::string_view::npos) return secrets;
  const std::string_view rest = trimmed(value.substr(scheme));
  secrets.emplace_back(rest);
  if (const std::size_t equals = rest.find('='); equals != std::string_view::npos) {
    secrets.emplace_back(unquoted(rest.substr(equals + 1)));
  }
  if (!are_alike(value.substr(0, scheme), "Basic")) return secrets;
  std::string padded{rest};
  padded.append((4 - padded.size() % 4) % 4, '=');
  if (auto text = base64_bytes(padded)) {
    secrets.push_back(text->substr(text->find(':') + 1));
    secrets.push_back(std::move(*text));
  }
  return secrets;
}

std::vector<std::string> secrets_in_url(std::string_view path_or_query) {
  const std::string text = decoded(path_or_query);
  std::vector<std::string> secrets;
  const auto add = [&](std::string_view part) {
    if (part.size() >= part_min) secrets.emplace_back(part);
  };
  const std::string_view all = text;
  add(all.substr(first_odd(all)));
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find_first_of("/?&=;,", at), all.size());
    const std::string_view part = all.substr(at, end - at);
    add(part.substr(first_odd(part)));
    at = end + 1;
  }
  return secrets;
}

}  // namespace outbox::core

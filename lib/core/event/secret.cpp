// Does a text quote a secret, in any of the encodings in which answers quote things?

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/event/decode.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

constexpr std::size_t quoted_max = 12;  // so many characters of a token are half of a stolen one
constexpr std::size_t quoted_min = 4;

std::string lower(std::string text) {
  const auto lowered = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  std::transform(text.begin(), text.end(), text.begin(), lowered);
  return text;
}

// White space goes: a long text may be broken into lines.
std::string next_view(std::string_view text) {
  std::string result = decoded(text);
  std::erase_if(result, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return result;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  unsigned bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) {
      text += letters[(bits >> static_cast<unsigned>(count - 6)) & 63U];
    }
  }
  return text;  // without what the next byte decides
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) / 16U];
    text += digits[static_cast<unsigned char>(c) % 16U];
  }
  return text;
}

// What must not be found, in lower case.
std::vector<std::string> forms_of(std::string_view secret) {
  const std::string begin{secret.substr(0, quoted_max)};
  std::vector<std::string> forms{lower(next_view(begin)), hex(begin)};
  // Behind other bytes ("Bearer ", "user:") base64 looks different, in three ways.
  constexpr std::array<std::size_t, 3> unsure = {0, 2, 3};
  for (std::size_t shift = 0; shift < unsure.size(); ++shift) {
    std::string form = lower(base64(std::string(shift, ' ') + begin)).substr(unsure[shift]);
    forms.push_back(form);
    std::replace(form.begin(), form.end(), '+', '-');
    std::replace(form.begin(), form.end(), '/', '_');
    forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace

bool quotes_secret(std::string_view text, std::string_view secret) {
  if (secret.size() < quoted_min) return false;
  const std::vector<std::string> forms = forms_of(secret);
  std::string view{text};
  for (int i = 0; i <= decodings_max; ++i) {
    const std::string lowered = lower(view);
    const bool is_quoted = std::any_of(forms.begin(), forms.end(), [&](const std::string& form) {
      return form.size() >= quoted_min && lowered.find(form) != std::string::npos;
    });
    if (is_quoted) return true;
    std::string next = next_view(view);
    if (next == view) return false;
    view = std::move(next);
  }
  return false;
}

}  // namespace outbox::core

// Does a text quote a secret, in any of the encodings in which answers quote things?

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "core/event/text.hpp"

namespace outbox::core {

namespace {

constexpr std::size_t quoted_max = 12;  // so many characters of a token are half of a stolen one
constexpr std::size_t quoted_min = 4;
constexpr int decodings_max = 3;

std::string lower(std::string text) {
  const auto lowered = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  std::transform(text.begin(), text.end(), text.begin(), lowered);
  return text;
}

// The number of `digits` at `at`; -1: that is none.
int number_at(std::string_view text, std::size_t at, std::size_t digits, int base) {
  const std::string_view part = text.substr(std::min(at, text.size()), digits);
  int value = -1;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, base);
  const bool is_number = error == std::errc{} && !part.empty() && end == part.data() + part.size();
  return is_number ? value : -1;
}

// One character that stands encoded at `at`, and how long that is; 0: it stands for itself.
std::size_t decode_at(std::string_view text, std::size_t at, int& value) {
  const std::string_view rest = text.substr(at);
  if (rest[0] == '%') {
    value = number_at(text, at + 1, 2, 16);
    return value >= 0 && rest.size() >= 3 ? 3 : 0;
  }
  if (rest.rfind("\\u", 0) == 0 || rest.rfind("\\U", 0) == 0) {
    value = number_at(text, at + 2, 4, 16);
    return value >= 0 && rest.size() >= 6 ? 6 : 0;
  }
  if (rest.rfind("\\x", 0) == 0) {
    value = number_at(text, at + 2, 2, 16);
    return value >= 0 && rest.size() >= 4 ? 4 : 0;
  }
  if (rest[0] == '\\' && rest.size() > 1) {
    value = static_cast<unsigned char>(rest[1]);
    return 2;
  }
  if (rest.rfind("&#", 0) == 0) {
    const std::size_t end = rest.find(';');
    if (end == std::string_view::npos || end > 9) return 0;
    const bool is_hex = rest.size() > 2 && (rest[2] == 'x' || rest[2] == 'X');
    const std::size_t begin = is_hex ? 3 : 2;
    value = number_at(text, at + begin, end - begin, is_hex ? 16 : 10);
    return value >= 0 ? end + 1 : 0;
  }
  return 0;
}

// White space goes too: a long text may be broken into lines.
std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    int value = -1;
    const std::size_t length = decode_at(text, i, value);
    const bool is_space =
        length == 0 && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t');
    if (length == 0 && !is_space) result += text[i];
    if (length > 0 && value < 0x80) result += static_cast<char>(value);
    i += std::max<std::size_t>(length, 1);
  }
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
  std::vector<std::string> forms{lower(decoded(begin)), hex(begin)};
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
    std::string next = decoded(view);
    if (next == view) return false;
    view = std::move(next);
  }
  return false;
}

}  // namespace outbox::core

#include "core/event/decode.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace outbox::core {

namespace {

// The number of `digits` at `at`; -1: that is none.
int number_at(std::string_view text, std::size_t at, std::size_t digits, int base) {
  const std::string_view part = text.substr(std::min(at, text.size()), digits);
  int value = -1;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, base);
  const bool is_number = error == std::errc{} && !part.empty() && end == part.data() + part.size();
  return is_number ? value : -1;
}

// Of HTML: those that may stand in an id, in an address or around one.
constexpr std::pair<std::string_view, char> named_references[] = {
    {"&commat;", '@'}, {"&period;", '.'}, {"&plus;", '+'},  {"&lowbar;", '_'},
    {"&quot;", '"'},   {"&apos;", '\''},  {"&colon;", ':'}, {"&sol;", '/'},
    {"&amp;", '&'},    {"&lt;", '<'},     {"&gt;", '>'}};

// Nothing else begins what `decode_at` decodes.
constexpr std::string_view begins_of_codes = "%\\&";

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
    constexpr std::string_view names = "nrtbf";
    constexpr std::string_view controls = "\n\r\t\b\f";
    const std::size_t control = names.find(rest[1]);
    value = static_cast<unsigned char>(control < controls.size() ? controls[control] : rest[1]);
    return 2;
  }
  if (rest.rfind("&#", 0) == 0) {
    // Browsers take it without its semicolon, too (HTML, 13.2.5.80).
    const bool is_hex = rest.size() > 2 && (rest[2] == 'x' || rest[2] == 'X');
    const std::string_view digits = is_hex ? "0123456789abcdefABCDEF" : "0123456789";
    const std::size_t begin = is_hex ? 3 : 2;
    const std::size_t end = std::min(rest.find_first_not_of(digits, begin), rest.size());
    if (end == begin) return 0;
    const std::size_t number = std::min(rest.find_first_not_of('0', begin), end - 1);
    if (end - number > 7) return 0;
    value = number_at(text, at + number, end - number, is_hex ? 16 : 10);
    return end < rest.size() && rest[end] == ';' ? end + 1 : end;
  }
  for (const auto& [name, character] : named_references) {
    if (!rest.starts_with(name)) continue;
    value = character;
    return name.size();
  }
  return 0;
}

constexpr bool is_high_surrogate(int value) {
  return value >= 0xD800 && value <= 0xDBFF;
}
constexpr bool is_low_surrogate(int value) {
  return value >= 0xDC00 && value <= 0xDFFF;
}

// In UTF-8; '?' for what is no character (RFC 3629, 3).
void append(std::string& text, int value) {
  const auto put = [&text](int byte) { text += static_cast<char>(byte); };
  const auto put_rest = [&](int shift) { put(0x80 | (value >> shift & 0x3F)); };
  if (value < 0x80) return put(value);
  if (value > 0x10FFFF || is_high_surrogate(value) || is_low_surrogate(value)) return put('?');
  if (value < 0x800) {
    put(0xC0 | value >> 6);
  } else if (value < 0x10000) {
    put(0xE0 | value >> 12);
    put_rest(6);
  } else {
    put(0xF0 | value >> 18);
    put_rest(12);
    put_rest(6);
  }
  put_rest(0);
}

}  // namespace

bool is_encoded(std::string_view text) {
  return text.find_first_of(begins_of_codes) != std::string_view::npos;
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = std::min(text.find_first_of(begins_of_codes, i), text.size());
    result += text.substr(i, next - i);
    i = next;
    if (i == text.size()) break;
    int value = -1;
    std::size_t length = decode_at(text, i, value);
    if (is_high_surrogate(value) && i + length < text.size()) {  // JSON writes some in two halves
      int low = -1;
      const std::size_t second = decode_at(text, i + length, low);
      if (second > 0 && is_low_surrogate(low)) {
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
        length += second;
      }
    }
    if (length == 0 || text[i] == '%') {
      result += length == 0 ? text[i] : static_cast<char>(value);  // a byte of UTF-8, perhaps
    } else {
      append(result, value);
    }
    i += std::max<std::size_t>(length, 1);
  }
  return result;
}

}  // namespace outbox::core

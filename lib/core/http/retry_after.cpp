#include "core/http/retry_after.hpp"

#include <algorithm>
#include <array>

#include "core/event/limits.hpp"
#include "core/event/reader.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

unsigned month_of(std::string_view name) {
  constexpr std::array<std::string_view, 12> names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? 0 : static_cast<unsigned>(found - names.begin()) + 1;
}

struct DateFields {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
};

void read_time(Reader& reader, DateFields& fields) {
  fields.hours = reader.number(2);
  reader.expect(':');
  fields.minutes = reader.number(2);
  reader.expect(':');
  fields.seconds = reader.number(2);
}

void read_gmt(Reader& reader) {
  for (const char c : {' ', 'G', 'M', 'T'}) reader.expect(c);
}

// "Sun, 06 Nov 1994 08:49:37 GMT", and with a full name of the day "Sunday, 06-Nov-94 08:49:37
// GMT".
DateFields read_with_comma(Reader& reader) {
  DateFields fields;
  reader.skip_through(',');
  reader.expect(' ');
  fields.day = reader.number(2);
  const bool is_rfc850 = reader.accept('-');
  if (!is_rfc850) reader.expect(' ');
  fields.month = month_of(reader.text(3));
  reader.expect(is_rfc850 ? '-' : ' ');
  fields.year = reader.number(is_rfc850 ? 2 : 4);
  if (is_rfc850) fields.year += fields.year < 70 ? 2000 : 1900;
  reader.expect(' ');
  read_time(reader, fields);
  read_gmt(reader);
  return fields;
}

// "Sun Nov  6 08:49:37 1994"
DateFields read_asctime(Reader& reader) {
  DateFields fields;
  reader.text(3);
  reader.expect(' ');
  fields.month = month_of(reader.text(3));
  reader.expect(' ');
  fields.day = reader.number(reader.accept(' ') ? 1 : 2);
  reader.expect(' ');
  read_time(reader, fields);
  reader.expect(' ');
  fields.year = reader.number(4);
  return fields;
}

}  // namespace

std::optional<Instant> http_date(std::string_view text) {
  using namespace std::chrono;
  Reader reader{text};
  const bool has_comma = text.find(',') != std::string_view::npos;
  const DateFields fields = has_comma ? read_with_comma(reader) : read_asctime(reader);
  const year_month_day day{year{fields.year}, month{fields.month},
                           std::chrono::day{static_cast<unsigned>(fields.day)}};
  if (reader.has_failed() || !reader.is_at_end() || !day.ok()) return std::nullopt;
  if (fields.hours > 23 || fields.minutes > 59 || fields.seconds > 60) return std::nullopt;
  return sys_days{day} + hours{fields.hours} + minutes{fields.minutes} + seconds{fields.seconds};
}

std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::string_view date,
                                                     Instant now) {
  value = trimmed(value);
  if (value.empty()) return std::nullopt;
  std::chrono::milliseconds wait{0};
  if (std::all_of(value.begin(), value.end(), is_digit)) {
    // Six digits are more than the longest wait; the rest could only overflow.
    const std::size_t zeros = std::min(value.find_first_not_of('0'), value.size() - 1);
    value.remove_prefix(zeros);
    wait = value.size() > 6 ? retry_after_max
                            : std::chrono::seconds{Reader{value}.number(value.size())};
  } else {
    const auto until = http_date(value);
    if (!until) return std::nullopt;
    wait = *until - http_date(trimmed(date)).value_or(now);
  }
  return std::clamp(wait, retry_after_min, retry_after_max);
}

}  // namespace outbox::core

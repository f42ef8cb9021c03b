// Instants and durations: how they are written and read.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>

#include "format.hpp"

namespace cli {

namespace {

std::tm parts_of(Time time, bool is_utc) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  is_utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts);
  return parts;
}

std::string ms_text(Time time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), ".%03d", static_cast<int>(((ms % 1000) + 1000) % 1000));
  return text.data();
}

// Walks over a text; a step that does not fit makes it false for good.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_{text} {}

  bool accept(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any_of) { is_good_ = accept(any_of) && is_good_; }
  // Exactly so many digits, as a number of at most `max`.
  int number(std::size_t digits, int max) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      expect("0123456789");
      value = value * 10 + (last_ - '0');
    }
    is_good_ = is_good_ && value <= max;
    return value;
  }
  char last() const { return last_; }
  bool is_complete() const { return is_good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = '0';
  bool is_good_ = true;
};

std::chrono::milliseconds fraction_of(Reader& reader) {
  std::int64_t ms = 0;
  std::int64_t digit_ms = 100;
  while (reader.accept("0123456789")) {
    ms += digit_ms * (reader.last() - '0');
    digit_ms /= 10;
  }
  return std::chrono::milliseconds{ms};
}

std::chrono::minutes zone_of(Reader& reader) {
  if (reader.accept("Zz")) return std::chrono::minutes{0};
  reader.expect("+-");
  const int sign = reader.last() == '-' ? -1 : 1;
  const int hours = reader.number(2, 23);
  reader.expect(":");
  return std::chrono::minutes{sign * (hours * 60 + reader.number(2, 59))};
}

using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

// RFC 3339; none: it is no such instant.
std::optional<Instant> instant_of(std::string_view text) {
  using namespace std::chrono;
  Reader reader{text};
  const int y = reader.number(4, 9999);
  reader.expect("-");
  const int m = reader.number(2, 12);
  reader.expect("-");
  const int d = reader.number(2, 31);
  reader.expect("Tt ");
  const int hour = reader.number(2, 23);
  reader.expect(":");
  const int minute = reader.number(2, 59);
  reader.expect(":");
  const int second = reader.number(2, 60);  // a leap second is the next one
  const milliseconds fraction = reader.accept(".") ? fraction_of(reader) : milliseconds{0};
  const minutes zone = zone_of(reader);
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)},
                            day{static_cast<unsigned>(d)}};
  if (!reader.is_complete() || !date.ok()) return std::nullopt;
  return sys_days{date} + hours{hour} + minutes{minute} + seconds{second} + fraction - zone;
}

// "30s"; none: it is no duration.
std::optional<std::chrono::milliseconds> parsed_duration(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [unit_at, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit{unit_at, static_cast<std::size_t>(end - unit_at)};
  constexpr std::int64_t day_ms = 86'400'000;
  constexpr std::int64_t longest_ms = 3'650 * day_ms;  // ten years: beyond it, it is a slip
  const std::int64_t unit_ms = unit == "ms"  ? 1
                               : unit == "s" ? 1'000
                               : unit == "m" ? 60'000
                               : unit == "h" ? 3'600'000
                               : unit == "d" ? day_ms
                                             : 0;
  const bool is_one =
      error == std::errc{} && unit_ms > 0 && number >= 0 && number <= longest_ms / unit_ms;
  if (!is_one) return std::nullopt;
  return std::chrono::milliseconds{number * unit_ms};
}

}  // namespace

std::string rfc3339(Time time) {
  std::tm parts = parts_of(time, true);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return text.data() + ms_text(time) + "Z";
}

std::string when(Time time, const Globals& globals) {
  std::tm parts = parts_of(time, globals.is_utc);
  const std::tm today = parts_of(std::chrono::system_clock::now(), globals.is_utc);
  const bool is_today = parts.tm_yday == today.tm_yday && parts.tm_year == today.tm_year;
  std::array<char, 48> text{};
  std::strftime(text.data(), text.size(), is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &parts);
  return text.data() + std::string{globals.is_utc ? "Z" : ""};
}

std::string not_empty(const std::string& value) {
  return value.empty() ? "is empty: a variable that was not set?" : "";
}

std::string a_duration(const std::string& value) {
  if (value.empty()) return not_empty(value);
  if (parsed_duration(value)) return "";
  return "not a duration: " + escaped(value) +
         " (write 500ms, 30s, 5m, 2h or 7d; at most ten years)";
}

std::chrono::milliseconds duration_of(const std::string& text) {
  if (const auto duration = parsed_duration(text)) return *duration;
  throw Failure{usage, a_duration(text)};
}

std::string a_time(const std::string& value) {
  using namespace std::chrono;
  if (value.empty()) return not_empty(value);
  if (parsed_duration(value)) return "";
  const auto instant = instant_of(value);
  if (!instant) {
    return "not a time: " + escaped(value) +
           " (write 2026-11-23T10:00:00Z, 2026-11-23T11:00:00+01:00, or 2h for two hours ago)";
  }
  const bool is_in_range = *instant >= Instant{} && *instant < sys_days{year{10'000} / 1 / 1};
  return is_in_range ? "" : "not a time of the years 1970 to 9999: " + escaped(value);
}

Time time_of(const std::string& text) {
  using namespace std::chrono;
  if (const auto problem = a_time(text); !problem.empty()) throw Failure{usage, problem};
  if (const auto duration = parsed_duration(text)) return system_clock::now() - *duration;
  const auto instant = instant_of(text);
  // The clock counts nanoseconds, to the year 2262.
  return std::min(*instant, floor<milliseconds>(Time::max()));
}

}  // namespace cli

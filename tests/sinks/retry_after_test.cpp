#include "sinks/retry_after.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;

namespace {

constexpr outbox::core::Instant now =
    std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + 12h;

}  // namespace

TEST_CASE("a wait is read in seconds or as a date, and kept within its bounds") {
  struct Row {
    const char* value;
    const char* date;
    std::optional<std::chrono::milliseconds> wait;
  };
  const Row rows[] = {
      {"", "", std::nullopt},
      {"120", "", 120s},
      {"0", "", 1s},
      {"000000000007", "", 7s},
      {"86400", "", 24h},
      {"86401", "", 24h},
      {"315360000", "", 24h},  // ten years
      {"99999999999999999999999999", "", 24h},
      // What cannot be read.
      {"-5", "", 1s},
      {"1.5", "", 1s},
      {"soon", "", 1s},
      {"120 s", "", 1s},
      // The other two forms of RFC 9110, 5.6.7.
      {"Tuesday, 24-Nov-26 12:00:30 GMT", "", 30s},
      {"Tue Nov 24 12:00:30 2026", "", 30s},
      {"Tue, 24 Nov 2026 24:00:00 GMT", "", 1s},
      {"2026-11-24T12:00:30Z", "", 1s},
      {"Tue, 24 Nov 9999 12:00:00 GMT", "", 24h},
      // By the endpoint's own clock, which may be wrong.
      {"Tue, 24 Nov 2020 10:00:30 GMT", "Tue, 24 Nov 2020 10:00:00 GMT", 30s},
      {"Tue, 24 Nov 2026 12:00:30 GMT", "", 30s},
      {"Tue, 24 Nov 2026 12:00:30 GMT", "no date", 30s},
      {"Tue, 24 Nov 2026 11:00:00 GMT", "", 1s},
      {"Tue, 24 Nov 2036 12:00:00 GMT", "", 24h},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    CAPTURE(row.date);
    CHECK(outbox::sinks::retry_after(row.value, row.date, now) == row.wait);
  }
}

#include "core/http/retry_after.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace outbox::core;
using namespace std::chrono_literals;

namespace {

constexpr Instant now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + 12h;

}  // namespace

TEST_CASE("an HTTP-date is read in its three forms") {
  // The examples of RFC 9110, 5.6.7: all are 1994-11-06 08:49:37.
  const Instant expected =
      std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + 8h + 49min + 37s;
  CHECK(http_date("Sun, 06 Nov 1994 08:49:37 GMT") == expected);
  CHECK(http_date("Sunday, 06-Nov-94 08:49:37 GMT") == expected);
  CHECK(http_date("Sun Nov  6 08:49:37 1994") == expected);
  CHECK(http_date("Sun Nov 16 08:49:37 1994") == expected + 240h);
  CHECK(http_date("Friday, 06-Nov-26 08:49:37 GMT") ==
        std::chrono::sys_days{std::chrono::year{2026} / 11 / 6} + 8h + 49min + 37s);
  CHECK(http_date("Sun, 06 Nov 1994 23:59:60 GMT") ==  // a leap second
        std::chrono::sys_days{std::chrono::year{1994} / 11 / 7});
}

TEST_CASE("what is no HTTP-date is none") {
  for (const char* text :
       {"", "x", ",", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 2026 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "1994-11-06T08:49:37Z"}) {
    CAPTURE(text);
    CHECK_FALSE(http_date(text));
  }
}

TEST_CASE("a wait is read in seconds or as a date, and kept within its bounds") {
  struct Row {
    const char* value;
    const char* date;
    std::optional<std::chrono::milliseconds> wait;
  };
  const Row rows[] = {
      {"", "", std::nullopt},
      {"120", "", 120s},
      {" 120 ", "", 120s},
      {"0", "", 1s},
      {"000000000007", "", 7s},
      {"86400", "", 24h},
      {"86401", "", 24h},
      {"315360000", "", 24h},  // ten years
      {"99999999999999999999999999", "", 24h},
      {"-5", "", std::nullopt},
      {"1.5", "", std::nullopt},
      {"soon", "", std::nullopt},
      {"120 s", "", std::nullopt},
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
    CHECK(retry_after(row.value, row.date, now) == row.wait);
  }
}

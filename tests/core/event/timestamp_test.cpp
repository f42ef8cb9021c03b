#include "core/event/timestamp.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;

TEST_CASE("an instant is written in UTC with six digits and a Z") {
  using namespace std::chrono;
  const auto instant = sys_days{year{2024} / 10 / 20} + 15h + 51min + 35s + 59ms;
  CHECK(utc_text(instant) == "2024-10-20T15:51:35.059000Z");
  CHECK(utc_text(sys_days{year{1969} / 12 / 31} + 23h + microseconds{1}) ==
        "1969-12-31T23:00:00.000001Z");
}

TEST_CASE("an instant of a year that four digits cannot hold is no timestamp") {
  using namespace std::chrono;
  CHECK(utc_text(sys_days{year{9999} / 12 / 31} + 23h) == "9999-12-31T23:00:00.000000Z");
  CHECK(utc_text(sys_days{year{0} / 1 / 1}) == "0000-01-01T00:00:00.000000Z");
  for (const days day : {days{-719'529}, days{2'932'897}, days{365 * 68'030 + 20'000}}) {
    CAPTURE(day.count());
    CHECK(timestamp_problem(utc_text(sys_days{day})));
  }
}

TEST_CASE("a default timestamp is now or 1 ms after the last one, and at most a minute ahead") {
  using namespace std::chrono;
  const sys_time<microseconds> now = sys_days{year{2026} / 5 / 4} + 3us;
  struct Row {
    microseconds last;
    microseconds next;
  };
  for (const Row& row :
       {Row{-now.time_since_epoch(), 0us}, Row{-1ms, 0us}, Row{-1us, 999us}, Row{0us, 1ms},
        Row{59s + 999ms, 60s}, Row{60s, 0us}, Row{365 * 24h, 0us}}) {
    CAPTURE(row.last.count());
    CHECK((timestamp_after(now + row.last, now) - now).count() == row.next.count());
  }
}

TEST_CASE("what the library writes is a timestamp that it accepts") {
  CHECK_FALSE(timestamp_problem(utc_text(std::chrono::sys_time<std::chrono::microseconds>{})));
}

TEST_CASE("ISO 8601 instants with a zone are accepted") {
  for (const char* text :
       {"2024-10-20T15:51:35.059000Z", "2024-10-20T15:51:35Z", "2024-02-29T00:00:00+02:00",
        "2024-10-20T15:51:35.1-0330", "2024-10-20T15:51:35+05", "2024-10-20T15:51:35-23:59",
        "2016-12-31T23:59:60Z"}) {
    CAPTURE(text);
    CHECK_FALSE(timestamp_problem(text));
  }
}

TEST_CASE("what is no ISO 8601 instant is refused") {
  for (const char* text :
       {"", "20-11-23T22:28:55.111Z", "2024-10-20", "2024-10-20T15:51:35", "2024-10-20 15:51:35Z",
        "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-10-20T24:00:00Z",
        "2024-10-20T15:60:00Z", "2024-10-20T15:51:35.Z", "2024-10-20T15:51:35Zx",
        "2024-10-20T15:51:35+2:00", "2024-10-20T15:51:35+24:00", "now", "02024-10-20T15:51:35Z"}) {
    CAPTURE(text);
    CHECK(timestamp_problem(text));
  }
}

// The system's clock ends in 2262 where it counts nanoseconds, as libstdc++'s does.
TEST_CASE("an instant begins with the year 1970") {
  using namespace std::chrono_literals;
  using outbox::core::require_instant;
  using std::chrono::system_clock;
  CHECK_NOTHROW(require_instant("not_before", system_clock::time_point{0ms}));
  CHECK_NOTHROW(require_instant("not_before", system_clock::time_point::max()));
  CHECK_THROWS_WITH_AS(require_instant("not_before", system_clock::time_point{-1ms}),
                       "outbox: not_before: must be of the years 1970 to 9999",
                       std::invalid_argument);
}

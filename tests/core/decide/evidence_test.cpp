#include "core/decide/evidence.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;

TEST_CASE("an event is guilty after more failures where innocent ones fail often, too") {
  struct Row {
    std::int64_t innocent_failures;  // thousandths
    std::int64_t failures;
  };
  for (const Row& row : {Row{-5, 10}, Row{0, 10}, Row{10, 10}, Row{100, 10},  // up to one in ten
                         Row{250, 13}, Row{1'000, 30}, Row{4'000, 93}, Row{9'000, 197}}) {
    CAPTURE(row.innocent_failures);
    CHECK(guilty_failures(10, row.innocent_failures) == row.failures);
  }
  CHECK(guilty_failures(50, 1'000) == 50);
  CHECK(guilty_failures(1, 0) == 1);
  CHECK(guilty_failures(2, 62) == 8);
}

TEST_CASE("what is accepted says how often the innocent fail") {
  const Suspicion nothing{};
  const Suspicion failed_once{.request = 7};
  const Suspicion failed_often{.request = 7, .solo_failures = 15};
  const Suspicion refused{.request = 7, .refusals = 1};
  CHECK(innocent_failures_after(0, nothing) == 0);
  CHECK(innocent_failures_after(0, refused) == 62);
  CHECK(innocent_failures_after(0, failed_once) == 62);
  CHECK(innocent_failures_after(0, failed_often) == 1'000);
  CHECK(innocent_failures_after(1'000, nothing) == 937);
  CHECK(innocent_failures_after(1, nothing) == 0);
  CHECK(innocent_failures_after(16'000, failed_often) == 16'000);
}

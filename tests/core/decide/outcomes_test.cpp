#include "core/decide/outcomes.hpp"

#include <doctest/doctest.h>

using namespace outbox::core;
using namespace std::chrono_literals;
using outbox::Verdict;

TEST_CASE("what a sink says is masked and cut before it is kept") {
  outbox::Outcome wild{.reason = "no amy@achme.com\x1b[31m" + std::string(2'000, 'x'),
                       .response_id = std::string(2'000, 'r'),
                       .warnings = std::string(2'000, 'w'),
                       .retry_after = std::chrono::hours{900}};
  wild.events = {{0, Verdict::failed, "to tom@achme.com"}};
  const outbox::Outcome fit = fit_to_keep(wild);
  CHECK(fit.reason.rfind("no a**@achme.com?[31mx", 0) == 0);
  CHECK(fit.reason.size() == 256);
  CHECK(fit.response_id.size() == 128);
  CHECK(fit.warnings.size() == 1'024);
  CHECK(fit.events.at(0).reason == "to t**@achme.com");
  CHECK(fit.retry_after == std::chrono::hours{24});
  CHECK(fit_to_keep(fit).reason == fit.reason);
  CHECK(fit_to_keep({.retry_after = -1ms}).retry_after == 0ms);
}

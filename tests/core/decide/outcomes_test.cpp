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
  CHECK(fit_to_keep({.took = std::chrono::milliseconds::max()}).took == 24h);
  CHECK(fit_to_keep({.took = -1ms}).took == 0ms);
}

TEST_CASE("outcomes are those of a whole batch only when they name each event once") {
  const auto simple = [](std::vector<outbox::EventOutcome> events) {
    SentBatch sent{.ids = {1, 2, 3}};
    sent.outcome = {.verdict = Verdict::failed, .events = std::move(events)};
    simplify(sent);
    return sent.outcome.events.empty();
  };
  constexpr auto yes = Verdict::delivered;
  CHECK(simple({{2, yes, ""}, {0, yes, ""}, {1, yes, ""}}));
  CHECK_FALSE(simple({{0, yes, ""}, {0, yes, ""}, {0, yes, ""}}));
  CHECK_FALSE(simple({{0, yes, ""}, {1, yes, ""}, {3, yes, ""}}));
  CHECK_FALSE(simple({{0, yes, ""}, {1, yes, ""}}));
}

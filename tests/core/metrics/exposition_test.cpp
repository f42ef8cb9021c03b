#include "core/metrics/exposition.hpp"

#include <doctest/doctest.h>

using namespace outbox;
using namespace std::chrono_literals;

namespace {

core::MetricsFacts facts_of(DestinationStatus destination) {
  core::MetricsFacts facts;
  facts.status.destinations.push_back(std::move(destination));
  return facts;
}

void check_holds(const std::string& text, const std::string& line) {
  CAPTURE(text);
  CAPTURE(line);
  CHECK(("\n" + text).find("\n" + line + "\n") != std::string::npos);
}

}  // namespace

TEST_CASE("what is moved away does not make a counter fall") {
  const std::string text =
      core::exposition(facts_of({.name = "crm", .counts = {.enqueued = 1'000, .moved_away = 10}}));
  check_holds(text, R"(outbox_events_enqueued_total{destination="crm"} 1010)");
}

TEST_CASE("the metrics of a destination are its counts, its age, and whether it waits") {
  const std::string text = core::exposition(
      facts_of({.name = "track",
                .counts = {.due = 12, .dead = 3, .delivered_total = 90, .oldest_due_age = 3'200ms,
                           .oldest_retrying_age = 60s},
                .hold = Hold{.kind = HoldKind::unauthorized}}));

  check_holds(text, R"(outbox_events{destination="track",state="due"} 12)");
  check_holds(text, R"(outbox_events{destination="track",state="dead"} 3)");
  check_holds(text, R"(outbox_oldest_due_seconds{destination="track"} 3.2)");
  check_holds(text, R"(outbox_oldest_retrying_seconds{destination="track"} 60)");
  check_holds(text, R"(outbox_events_delivered_total{destination="track"} 90)");
  check_holds(text, R"(outbox_destination_hold{destination="track",kind="unauthorized"} 1)");
  check_holds(text, R"(outbox_destination_hold{destination="track",kind="backing_off"} 0)");
  check_holds(text, R"(outbox_destination_paused{destination="track"} 0)");
  check_holds(text, R"(outbox_dispatcher_up{destination="track"} 0)");
  CHECK(text.find("outbox_delivery_lag_seconds") == std::string::npos);  // nobody dispatches here
}

TEST_CASE("a histogram is cumulative, and its last bucket is the count") {
  core::MetricsFacts facts;
  Stats stats{.destination = "track"};
  for (const std::chrono::milliseconds took : {0ms, 10ms, 11ms, 3'600'000ms})
    stats.request_duration.add(took);
  facts.dispatchers.push_back(stats);
  const std::string text = core::exposition(facts);

  const std::string bucket = R"(outbox_request_duration_seconds_bucket{destination="track",le=)";
  check_holds(text, bucket + R"("0.01"} 2)");
  check_holds(text, bucket + R"("0.025"} 3)");
  check_holds(text, bucket + R"("60"} 3)");
  check_holds(text, bucket + R"("+Inf"} 4)");
  check_holds(text, R"(outbox_request_duration_seconds_count{destination="track"} 4)");
  check_holds(text, R"(outbox_request_duration_seconds_sum{destination="track"} 3600.021)");
}

TEST_CASE("a name that was forced into the tables breaks no line") {
  const std::string text = core::exposition(facts_of({.name = "a\"b\\c\n\x1b[d"}));
  check_holds(text, R"(outbox_dispatcher_up{destination="a\"b\\c??[d"} 0)");
}

// `outbox::prometheus_text`, as a host's /metrics page calls it. promtool reads whole pages
// elsewhere (tests/tools/cli/monitoring_test.py).

#include "outbox/metrics.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a page has the queue, the file, and the histograms of the dispatchers that are named") {
  track_server::TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(3);
  app.enqueue_many(2, {.destination = "crm"});
  const Dispatcher dispatcher{app.path(), support::endpoint_of(server), {}};
  REQUIRE(support::becomes_true([&] { return dispatcher.stats().delivered == 3; }));

  const std::string text = prometheus_text(app.db(), {.dispatchers = {&dispatcher}});
  CHECK(has_line(text, R"(outbox_events{destination="track",state="due"} 0)"));
  CHECK(has_line(text, R"(outbox_events{destination="crm",state="due"} 2)"));
  CHECK(has_line(text, R"(outbox_events_delivered_total{destination="track"} 3)"));
  CHECK(has_line(text, R"(outbox_delivery_lag_seconds_count{destination="track"} 3)"));
  CHECK(text.find("outbox_database_bytes 0\n") == std::string::npos);
  CHECK(text.find("user-") == std::string::npos);

  const std::string alone = prometheus_text(app.db(), {.destination = "crm"});
  CHECK(alone.find("track") == std::string::npos);
  CHECK(alone.find("_count") == std::string::npos);
}

TEST_CASE("dispatchers that cannot be shown are refused by name") {
  track_server::TrackServer server;
  support::AppDatabase app;
  const auto dispatcher = [&] {
    return std::make_unique<Dispatcher>(app.path(), support::endpoint_of(server),
                                        DispatcherOptions{});
  };
  const auto first = dispatcher();
  const auto second = dispatcher();
  CHECK_THROWS_WITH_AS(prometheus_text(app.db(), {.dispatchers = {first.get(), nullptr}}),
                       "outbox: dispatchers: one is null", std::invalid_argument);
  CHECK_THROWS_WITH_AS(prometheus_text(app.db(), {.dispatchers = {first.get(), second.get()}}),
                       "outbox: dispatchers: two of track", std::invalid_argument);
}

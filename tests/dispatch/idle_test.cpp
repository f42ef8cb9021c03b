// Waiting until nothing is due any more, and the rate of requests.

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
namespace ot = outbox::testing;

TEST_CASE("what was committed before the call is delivered when it returns") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  Dispatcher dispatcher{app.path(), endpoint.endpoint(), {.batch_events = 7}};
  CHECK(dispatcher.wait_until_idle(1min));  // nothing at all
  for (int i = 1; i <= 20; ++i) {
    app.enqueue_many(static_cast<std::size_t>(i));
    REQUIRE(dispatcher.wait_until_idle(1min));
    REQUIRE(app.count("state = 'pending'") == 0);
  }
}

TEST_CASE("several wait at once, each for what it committed") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  Dispatcher dispatcher{app.path(), endpoint.endpoint()};
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SQLite::Database db = app.connect();
      for (int i = 0; i < 10; ++i) {
        const std::string user = std::to_string(t) + "-" + std::to_string(i);
        db.exec("begin immediate");
        const std::int64_t id = enqueue(db, support::event_of(user)).id;
        db.exec("commit");
        const bool is_idle = dispatcher.wait_until_idle(1min);
        const auto state = find_event(db, id)->event.state;
        if (!is_idle || state != outbox::EventState::delivered) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
}

TEST_CASE("scheduled events are not waited for; a hold, a pause and a stop are not idle") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  Dispatcher dispatcher{app.path(), endpoint.endpoint()};
  app.enqueue(support::amy(), {.not_before = std::chrono::system_clock::now() + 1h});
  CHECK(dispatcher.wait_until_idle(1min));

  SUBCASE("on hold") {
    endpoint.answer_by([](const ot::SentRequest&) { return ot::unavailable(); });
    app.enqueue(support::amy());
    CHECK_FALSE(dispatcher.wait_until_idle(50ms));
  }
  SUBCASE("paused") {
    pause(app.db(), "track", {.reason = "why"});
    app.enqueue(support::amy());
    CHECK_FALSE(dispatcher.wait_until_idle(50ms));
    resume(app.db(), "track");
    CHECK(dispatcher.wait_until_idle(1min));
  }
  SUBCASE("stopped") {
    pause(app.db(), "track", {.reason = "why"});
    app.enqueue(support::amy());
    std::thread waiting{[&] { CHECK_FALSE(dispatcher.wait_until_idle(1h)); }};
    dispatcher.stop();
    waiting.join();
    CHECK_FALSE(dispatcher.wait_until_idle(1h));  // nobody looks any more
  }
}

TEST_CASE("a dispatcher that stands by waits for the other one") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  Dispatcher active{app.path(), endpoint.endpoint()};
  REQUIRE(support::becomes_true([&] { return active.stats().is_active; }));
  Dispatcher standby{app.path(), endpoint.endpoint()};
  app.enqueue_many(50);
  CHECK(standby.wait_until_idle(1min));
  CHECK(app.count("state = 'delivered'") == 50);
}

TEST_CASE("waiting in the observer is refused") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  std::atomic<bool> was_refused = false;
  Dispatcher* self = nullptr;
  std::atomic<bool> is_set = false;
  Dispatcher dispatcher{app.path(), endpoint.endpoint(), {.observer = [&](const Notice&) {
                          if (!is_set) return;
                          try {
                            self->wait_until_idle(1h);
                          } catch (const std::logic_error&) {
                            was_refused = true;
                          }
                        }}};
  self = &dispatcher;
  is_set = true;
  app.enqueue(support::amy());
  CHECK(support::becomes_true([&] { return was_refused.load(); }));
}

TEST_CASE("no more requests a second are made than the option allows") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  ot::ManualClock clock;
  app.enqueue_many(40);
  DispatcherOptions options{
      .batch_events = 1, .requests_per_second_max = 2, .clock = clock.function()};

  SUBCASE("by deliver_once, which says so by returning") {
    CHECK(deliver_once(app.path(), endpoint.endpoint(), options).requests == 1);
  }
  SUBCASE("by a dispatcher, which goes on when it is time") {
    Dispatcher dispatcher{app.path(), endpoint.endpoint(), options};
    for (std::size_t second = 0; second < 5; ++second) {
      CHECK(support::becomes_true([&] { return endpoint.requests().size() == 1 + 2 * second; }));
      clock.advance(500ms);
      CHECK(support::becomes_true([&] { return endpoint.requests().size() == 2 + 2 * second; }));
      clock.advance(500ms);
    }
    dispatcher.stop();
    CHECK(endpoint.requests().size() <= 11);
  }
}

TEST_CASE("a rate that cannot be is refused") {
  support::AppDatabase app;
  ot::RecordingEndpoint endpoint;
  for (const double rate : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_WITH_AS(
        deliver_once(app.path(), endpoint.endpoint(), {.requests_per_second_max = rate}),
        doctest::Contains("requests_per_second_max"), std::invalid_argument);
  }
}

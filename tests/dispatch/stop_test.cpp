// Stopping: prompt, at any instant, from anywhere but the dispatcher's own thread.

#include <doctest/doctest.h>

#include <memory>
#include <thread>

#include "liveness/stops.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using support::becomes_true;
using support::endpoint_of;
using track_server::TrackServer;

// So few: row T-15 of the torture suite stops 10,000 times.
TEST_CASE("200 stops at random instants hang nowhere and lose nothing") {
  const std::size_t count = 200;
  const liveness::StopsResult result = liveness::stop_often(count, 1);
  CHECK(result.stop_ms.size() == count);
  CHECK(result.lost == 0);
}

TEST_CASE("stop may be called twice, and by several threads at once") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { CHECK(dispatcher.stop()); });
  for (std::thread& thread : threads) thread.join();
  CHECK(dispatcher.stop());
  CHECK_FALSE(dispatcher.stats().is_active);
}

TEST_CASE("a thread that is given the id of the ended one may stop too") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  dispatcher.stop();
  for (int i = 0; i < 20; ++i) std::thread{[&] { CHECK_NOTHROW(dispatcher.stop()); }}.join();
}

TEST_CASE("stop inside the observer is refused with a clear error, and the dispatcher goes on") {
  TrackServer server;
  support::AppDatabase app;
  std::atomic<Dispatcher*> made = nullptr;
  std::atomic<bool> is_refused = false;
  DispatcherOptions options;
  options.observer = [&](const Notice& notice) {
    if (notice.kind != Notice::Kind::request) return;
    try {
      made.load()->stop();
    } catch (const std::logic_error& error) {
      is_refused = std::string{error.what()}.find("on another thread") != std::string::npos;
    }
  };
  Dispatcher dispatcher{app.path(), endpoint_of(server), options};
  made = &dispatcher;
  app.enqueue_many(1);
  REQUIRE(becomes_true([&] { return is_refused.load(); }));
  app.enqueue_many(1);
  CHECK(server.wait_for_events(2, support::long_enough));
}

TEST_CASE("a dispatcher that is destroyed in its own observer ends all the same") {
  TrackServer server;
  support::AppDatabase app;
  std::mutex mutex;
  std::unique_ptr<Dispatcher> dispatcher;
  std::atomic<bool> is_destroyed = false;
  DispatcherOptions options;
  options.observer = [&](const Notice& notice) {
    const std::lock_guard guard{mutex};
    if (notice.kind != Notice::Kind::request || !dispatcher) return;
    dispatcher.reset();
    is_destroyed = true;
  };
  {
    const std::lock_guard guard{mutex};
    dispatcher = std::make_unique<Dispatcher>(app.path(), endpoint_of(server), options);
  }
  app.enqueue_many(1);
  REQUIRE(becomes_true([&] { return is_destroyed.load(); }));
  // Its lock is free when its thread has ended.
  CHECK(becomes_true([&] { return !status(app.db()).destinations.at(0).dispatcher; }));
}

TEST_CASE("a static dispatcher does not keep a program from ending by std::exit") {
  TrackServer server;
  support::AppDatabase app;
  const support::Finished finished =
      support::run({OUTBOX_LIVENESS, "exiter", "--db", app.path(), "--url", server.url()});
  CHECK(finished.code == 3);
  CHECK(app.count("1 = 1") == 1);
}

#include "outbox/dispatcher.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::becomes_true;
using support::endpoint_of;
using support::long_enough;
using track_server::TrackServer;

TEST_CASE("a committed event arrives, with and without a notify") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};

  app.enqueue(support::amy());
  dispatcher.notify();
  CHECK(server.wait_for_events(1, long_enough));
  app.enqueue(support::amy());
  CHECK(server.wait_for_events(2, long_enough));
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 2; }));
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 2; }));
  CHECK(dispatcher.stats().is_active);
}

TEST_CASE("what was committed before the dispatcher was made arrives") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(500);
  const Dispatcher dispatcher{app.path(), endpoint_of(server)};
  CHECK(server.wait_for_events(500, long_enough));
}

TEST_CASE("events committed by several threads all arrive once") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server), {.connections = 4}};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SQLite::Database db = app.connect();
      for (int i = 0; i < 50; ++i) {
        SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
        enqueue(db, support::event_of(std::to_string(t) + "-" + std::to_string(i)));
        transaction.commit();
        dispatcher.notify();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(server.wait_for_events(200, long_enough));
  CHECK(dispatcher.stop(long_enough));
  const auto events = server.events();
  CHECK(std::set<std::string>(events.begin(), events.end()).size() == 200);
  CHECK(events.size() == 200);
  CHECK(app.count("state = 'delivered'") == 200);
}

TEST_CASE("a scheduled event is sent when its time comes, without a notify") {
  TrackServer server;
  support::AppDatabase app;
  const Dispatcher dispatcher{app.path(), endpoint_of(server)};
  const auto due = std::chrono::system_clock::now() + 300ms;
  app.enqueue(support::amy(), {.not_before = due});
  CHECK(server.wait_for_events(1, long_enough));
  CHECK(std::chrono::system_clock::now() >= due);
}

TEST_CASE("an endpoint that is away when the server starts is no error, and gets it all later") {
  support::AppDatabase app;
  app.enqueue_many(10);
  auto server = std::make_unique<TrackServer>();
  const int port = server->port();
  const std::string url = server->url();
  server.reset();

  Dispatcher dispatcher{app.path(),
                        track_api({.credentials = bearer("t"), .url = url}),
                        {.backoff_min = 1ms, .backoff_max = 20ms}};
  CHECK(becomes_true([&] { return dispatcher.stats().hold.rfind("could not connect", 0) == 0; }));

  server = std::make_unique<TrackServer>(track_server::Options{.port = port});
  CHECK(server->wait_for_events(10, long_enough));
}

TEST_CASE("of two dispatchers one delivers, and the other takes over when it stops") {
  TrackServer server;
  support::AppDatabase app;
  auto first = std::make_unique<Dispatcher>(app.path(), endpoint_of(server));
  REQUIRE(becomes_true([&] { return first->stats().is_active; }));
  Dispatcher second{app.path(), endpoint_of(server)};
  app.enqueue_many(100);
  first->notify();
  second.notify();
  REQUIRE(server.wait_for_events(100, long_enough));
  CHECK_FALSE(second.stats().is_active);
  CHECK(status(app.db()).destinations.at(0).dispatcher);

  first.reset();
  app.enqueue_many(1);
  CHECK(server.wait_for_events(101, long_enough));
  CHECK(becomes_true([&] { return second.stats().is_active; }));
  CHECK(server.event_count() == 101);
}

TEST_CASE("a pause in another process's connection stops the sending, and resume starts it") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  SQLite::Database other = app.connect();
  pause(other, "track", {.reason = "maintenance"});
  app.enqueue_many(1);
  dispatcher.notify();
  CHECK(becomes_true([&] { return dispatcher.stats().is_paused; }));
  CHECK(server.request_count() == 0);
  resume(other, "track");
  CHECK(server.wait_for_events(1, long_enough));
}

TEST_CASE("stop lets the request under way finish and records it") {
  TrackServer server;
  server.misbehave({.latency = 200ms});
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  app.enqueue_many(1);
  dispatcher.notify();
  REQUIRE(server.wait_for_requests(1, long_enough));
  CHECK(dispatcher.stop(long_enough));
  CHECK(app.count("state = 'delivered'") == 1);
}

TEST_CASE("stop gives up a request that is never answered, and its events stay pending") {
  TrackServer server;
  server.misbehave({.latency = 1h});
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  app.enqueue_many(3);
  dispatcher.notify();
  REQUIRE(server.wait_for_requests(1, long_enough));
  CHECK_FALSE(dispatcher.stop(1ms));
  CHECK_FALSE(dispatcher.stop(1ms));
  CHECK(app.count("state = 'pending' and refusals = 0") == 3);
}

TEST_CASE("stop says that a delivery could not be recorded, and does not wait for ever") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  REQUIRE(becomes_true([&] { return dispatcher.stats().is_active; }));
  server.misbehave({.latency = 100ms});
  app.enqueue_many(1);
  dispatcher.notify();
  REQUIRE(server.wait_for_requests(1, long_enough));
  SQLite::Database other = app.connect();
  other.exec("begin immediate");
  CHECK_FALSE(dispatcher.stop(300ms));
  other.exec("rollback");
  CHECK(app.count("state = 'pending'") == 1);
}

TEST_CASE("stop with all the time there is waits for what is under way") {
  TrackServer server;
  server.misbehave({.latency = 100ms});
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  app.enqueue_many(1);
  dispatcher.notify();
  REQUIRE(server.wait_for_requests(1, long_enough));
  CHECK(dispatcher.stop(std::chrono::milliseconds::max()));
  CHECK(app.count("state = 'delivered'") == 1);
}

TEST_CASE("whatever a recipe throws, the host lives on") {
  TrackServer server;
  support::AppDatabase app;
  std::atomic<bool> throws = false;
  Dispatcher dispatcher{{app.path(), "",
                         [&throws](sqlite3*) {
                           if (throws) throw 7;
                         }},
                        endpoint_of(server)};
  throws = true;
  // A broken schema makes the dispatcher open the database again.
  app.db().exec("alter table outbox_events rename to away");
  CHECK(becomes_true([&] {
    return dispatcher.stats().database_trouble.find("no std::exception") != std::string::npos;
  }));
  app.db().exec("alter table away rename to outbox_events");
  throws = false;
  app.enqueue_many(1);
  CHECK(server.wait_for_events(1, long_enough));
}

TEST_CASE("stop twice, from two threads, and notify after it, are harmless") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  std::thread other{[&] { dispatcher.stop(); }};
  dispatcher.stop();
  other.join();
  dispatcher.notify();
  CHECK_FALSE(dispatcher.stats().is_active);
}

TEST_CASE("a dispatcher is refused where it could only fail") {
  TrackServer server;
  support::TemporaryFolder folder;
  CHECK_THROWS_AS((Dispatcher{":memory:", endpoint_of(server)}), std::invalid_argument);
  CHECK_THROWS_AS((Dispatcher{folder.file("typo.db"), endpoint_of(server)}), database_error);
  CHECK(std::filesystem::is_empty(folder.path()));
  SQLite::Database bare{folder.file("bare.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  bare.exec("create table own (x)");
  CHECK_THROWS_AS((Dispatcher{folder.file("bare.db"), endpoint_of(server)}), schema_error);
  support::AppDatabase app;
  CHECK_THROWS_AS((Dispatcher{app.path(), endpoint_of(server), {.batch_events = 0}}),
                  std::invalid_argument);
}

TEST_CASE("a database that someone holds locked delays the dispatcher, and no more") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(5);
  SQLite::Database other = app.connect();
  other.exec("begin immediate");
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  dispatcher.notify();
  std::this_thread::sleep_for(50ms);  // let it meet the lock; the facts below hold either way
  other.exec("rollback");
  CHECK(server.wait_for_events(5, long_enough));
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 5; }));
  CHECK(server.event_count() == 5);
}

TEST_CASE("a relative path keeps its meaning after a chdir") {
  TrackServer server;
  support::AppDatabase app;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(app.folder().path());
  const Dispatcher dispatcher{"app.db", endpoint_of(server)};
  std::filesystem::current_path(before);
  app.enqueue_many(1);
  CHECK(server.wait_for_events(1, long_enough));
}

TEST_CASE("the dispatcher's thread takes no signal of the host") {
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  TrackServer server;  // its threads inherit the mask
  support::AppDatabase app;
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  const Dispatcher dispatcher{app.path(), endpoint_of(server)};
  pthread_sigmask(SIG_BLOCK, &set, nullptr);

  CHECK(kill(getpid(), SIGUSR1) == 0);  // would end the process if any thread had it unblocked

  const timespec at_once{};
  CHECK(becomes_true([&] { return sigtimedwait(&set, nullptr, &at_once) == SIGUSR1; }));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a token that is renewed in its file is used at once, without a restart") {
  TrackServer server{{.token = "new"}};
  support::AppDatabase app;
  const std::string path = app.folder().file("token");
  std::ofstream{path} << "old";
  app.enqueue_many(3);
  const Dispatcher dispatcher{
      app.path(),
      track_api({.credentials = bearer_from_file(path), .url = server.url()}),
      {.backoff_min = 1h, .backoff_max = 1h}};
  // The refused one is read again at once; after that the wait is an hour.
  REQUIRE(server.wait_for_requests(2, long_enough));
  REQUIRE(
      becomes_true([&] { return app.text("select hold_tries from outbox_destinations") == "2"; }));

  std::ofstream{path} << "new";
  CHECK(server.wait_for_events(3, long_enough));
}

TEST_CASE("a restart with another token asks at once, whatever the hold says") {
  TrackServer server{{.token = "new"}};
  support::AppDatabase app;
  app.enqueue_many(3);
  const DispatcherOptions options{.backoff_min = 1h, .backoff_max = 1h};
  {
    const Dispatcher old{app.path(), track_api({.credentials = bearer("old"), .url = server.url()}),
                         options};
    REQUIRE(server.wait_for_requests(2, long_enough));
    REQUIRE(becomes_true(
        [&] { return app.text("select hold_tries from outbox_destinations") == "2"; }));
  }
  const Dispatcher dispatcher{
      app.path(), track_api({.credentials = bearer("new"), .url = server.url()}), options};
  CHECK(server.wait_for_events(3, long_enough));
}

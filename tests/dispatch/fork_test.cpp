// fork, and the death of the process that delivers.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>

#include "outbox/errors.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using support::becomes_true;
using support::endpoint_of;
using track_server::TrackServer;

namespace {

// What a forked child finds; 0: all as promised.
int use_in_child(Dispatcher& dispatcher, const std::string& path, const TrackServer& server) {
  dispatcher.notify();
  try {
    dispatcher.stop();
    return 1;
  } catch (const forked_process&) {
  }
  try {
    static_cast<void>(dispatcher.stats());
    return 2;
  } catch (const forked_process&) {
  }
  // SQLite would believe that it has the parent's locks, or wait for a mutex for ever.
  try {
    const Dispatcher own{path, endpoint_of(server)};
    return 3;
  } catch (const forked_process&) {
  }
  try {
    deliver_once(path, endpoint_of(server));
    return 4;
  } catch (const forked_process&) {
  }
  return 0;
}

std::vector<std::string> holder(const support::AppDatabase& app, const TrackServer& server) {
  return {OUTBOX_LIVENESS, "holder", "--db", app.path(), "--url", server.url()};
}

}  // namespace

TEST_CASE("a forked child is told that the dispatcher is not its own, and the parent goes on") {
  TrackServer server;
  support::AppDatabase app;
  auto dispatcher = std::make_unique<Dispatcher>(app.path(), endpoint_of(server));
  REQUIRE(becomes_true([&] { return dispatcher->stats().is_active; }));
  for (int i = 1; i <= 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const int found = use_in_child(*dispatcher, app.path(), server);
      dispatcher.reset();
      _exit(found);
    }
    int ended = -1;
    REQUIRE(waitpid(child, &ended, 0) == child);
    CHECK(ended == 0);
    app.enqueue_many(1);
    CHECK(server.wait_for_events(static_cast<std::size_t>(i), support::long_enough));
  }
  CHECK(dispatcher->stats().is_active);
  CHECK(app.text("pragma integrity_check") == "ok");
}

TEST_CASE("a dispatcher that cannot open its database yet counts too") {
  TrackServer server;
  support::AppDatabase app;
  app.db().exec("pragma locking_mode = exclusive");
  app.enqueue_many(1);
  const Dispatcher dispatcher{app.path(), endpoint_of(server)};
  REQUIRE_FALSE(dispatcher.stats().database_trouble.empty());
  const pid_t child = fork();
  if (child == 0) {
    try {
      deliver_once("/nowhere.db", endpoint_of(server));
    } catch (const forked_process&) {
      _exit(0);
    } catch (...) {
      _exit(2);
    }
    _exit(1);
  }
  int ended = -1;
  REQUIRE(waitpid(child, &ended, 0) == child);
  CHECK(ended == 0);
}

TEST_CASE("when the process that delivers is killed, another one takes over") {
  TrackServer server;
  support::AppDatabase app;
  std::vector<std::string> arguments = holder(app, server);
  bool removes_lock = false;
  SUBCASE("and nothing else happened") {}
  SUBCASE("also while a forked child of it lives on") {
    arguments.emplace_back("--fork");
  }
  SUBCASE("also when someone has removed the lock file") {
    removes_lock = true;
  }
  support::Process first{arguments};
  REQUIRE(becomes_true([&] {
    const auto found = status(app.db()).destinations;
    return !found.empty() && found[0].dispatcher;
  }));
  Dispatcher second{app.path(), endpoint_of(server)};
  app.enqueue_many(1);
  REQUIRE(server.wait_for_events(1, support::long_enough));
  if (removes_lock) std::filesystem::remove(app.path() + "-outbox-track.lock");

  first.end(SIGKILL);
  app.enqueue_many(1);

  CHECK(server.wait_for_events(2, support::long_enough));
  CHECK(becomes_true([&] { return second.stats().is_active; }));
  CHECK(becomes_true([&] { return app.count("state = 'delivered'") == 2; }));
}

TEST_CASE("a child of a process that has no dispatcher any more may deliver") {
  TrackServer server;
  support::AppDatabase app;
  { const Dispatcher ended{app.path(), endpoint_of(server)}; }
  app.enqueue_many(1);
  const pid_t child = fork();
  if (child == 0) {
    try {
      // Not by a dispatcher: the thread sanitizer allows a child of several threads none.
      _exit(deliver_once(app.path(), endpoint_of(server)).delivered == 1 ? 0 : 1);
    } catch (...) {
      _exit(2);
    }
  }
  int ended = -1;
  REQUIRE(waitpid(child, &ended, 0) == child);
  CHECK(ended == 0);
}

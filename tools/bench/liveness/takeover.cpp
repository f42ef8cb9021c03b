#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <thread>
#include <vector>

#include "liveness/measure.hpp"
#include "liveness/world.hpp"
#include "track_server/server.hpp"

namespace liveness {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The process that delivers now; waits until there is one.
pid_t holder_of(SQLite::Database& db) {
  const auto deadline = Clock::now() + seconds{10};
  while (Clock::now() < deadline) {
    const auto status = outbox::status(db, "track");
    if (!status.destinations.empty() && status.destinations[0].dispatcher) {
      return static_cast<pid_t>(status.destinations[0].dispatcher->pid);
    }
    std::this_thread::sleep_for(milliseconds{1});
  }
  throw std::runtime_error{"nobody delivers"};
}

enum class Harm { none, forked_child, lock_removed };

double take_over_once(Harm harm) {
  const AppFile app;
  track_server::TrackServer server{{.keeps_events = false}};
  SQLite::Database db = app.connect();
  std::vector<pid_t> processes;
  for (int i = 0; i < 3; ++i) {
    std::vector<std::string> arguments{"holder", "--db", app.path(), "--url", server.url()};
    if (harm == Harm::forked_child) arguments.emplace_back("--fork");
    processes.push_back(start_again(arguments));
  }
  const pid_t holder = holder_of(db);
  commit_event(db);
  server.wait_for_events(1, seconds{10});
  if (harm == Harm::lock_removed) unlink((app.path() + "-outbox-track.lock").c_str());

  const auto begin = Clock::now();
  kill(holder, SIGKILL);
  commit_event(db);
  const bool is_there = server.wait_for_events(2, seconds{10});
  const double took = ms_since(begin);
  for (const pid_t process : processes) {
    kill(process, SIGKILL);
    reap(process);
  }
  if (!is_there) throw std::runtime_error{"nobody took over"};
  return took;
}

}  // namespace

void measure_takeover(std::size_t times) {
  const std::pair<Harm, const char*> kinds[] = {
      {Harm::none, "kill -9 of the one that delivers, of three    "},
      {Harm::forked_child, "the same, and a forked child of it lives on   "},
      {Harm::lock_removed, "the same, after someone removed the lock file "}};
  for (const auto& [harm, name] : kinds) {
    std::vector<double> took;
    for (std::size_t i = 0; i < times; ++i) took.push_back(take_over_once(harm));
    const Quantiles found = quantiles_of(took);
    std::cout << name << ": next event after " << found.p50 << " ms median, " << found.max
              << " ms worst of " << times << std::endl;
  }
}

void play_holder(const std::string& db, const std::string& url, bool forks) {
  const outbox::Dispatcher dispatcher{
      db, outbox::track_api({.credentials = outbox::bearer("t"), .url = url})};
  if (forks) {
    while (!dispatcher.stats().is_active) std::this_thread::sleep_for(milliseconds{1});
    if (fork() == 0) {
      close(STDOUT_FILENO);  // or who reads our output waits for this child
      close(STDERR_FILENO);
      alarm(60);  // ends by itself
      for (;;) pause();
    }
  }
  std::cout << "holds" << std::endl;
  for (;;) pause();
}

void play_exiter(const std::string& path, const std::string& url) {
  static const outbox::Dispatcher dispatcher{
      path, outbox::track_api({.credentials = outbox::bearer("t"), .url = url})};
  SQLite::Database db{path, SQLite::OPEN_READWRITE, 5000};
  commit_event(db);
  std::exit(3);
}

}  // namespace liveness

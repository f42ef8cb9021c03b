#include "liveness/stops.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

#include "liveness/world.hpp"
#include "track_server/server.hpp"

namespace liveness {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// One dispatcher from its start to its stop; returns what the stop took beyond its deadline.
double stop_once(const AppFile& app, const std::string& url, bool is_locked,
                 std::mt19937_64& random) {
  SQLite::Database other = app.connect();
  if (is_locked) other.exec("begin immediate");
  outbox::Dispatcher dispatcher{
      app.path(), outbox::track_api({.credentials = outbox::bearer("t"), .url = url}),
      outbox::DispatcherOptions{.batch_events = 2, .connections = 1 + random() % 3}};
  std::this_thread::sleep_for(microseconds{random() % 3'000});
  if (random() % 2 == 0) dispatcher.notify();
  const milliseconds deadline{random() % 4 == 0 ? random() % 10 : 0};
  const auto begin = Clock::now();
  dispatcher.stop(deadline);
  const double took = ms_since(begin);
  if (is_locked) other.exec("rollback");
  return std::max(took - static_cast<double>(deadline.count()), 0.0);
}

}  // namespace

StopsResult stop_often(std::size_t count, std::uint64_t seed) {
  const AppFile app;
  const BlackHole black_hole;
  track_server::TrackServer server{{.keeps_events = false}};
  track_server::TrackServer failing{{.keeps_events = false}};
  failing.misbehave({.status = 500});
  const std::string urls[] = {server.url(), failing.url(), black_hole.url(),
                              "http://127.0.0.1:1/api/track"};
  std::mt19937_64 random{seed};
  SQLite::Database db = app.connect();
  StopsResult result;
  std::int64_t enqueued = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (; enqueued < static_cast<std::int64_t>(i) + 4; ++enqueued) commit_event(db);
    const bool is_locked = random() % 5 == 0;
    result.stop_ms.push_back(stop_once(app, urls[random() % 4], is_locked, random));
  }
  const outbox::Counts counts = outbox::status(db).counts;
  result.lost = static_cast<std::size_t>(enqueued - counts.pending - counts.delivered);
  return result;
}

}  // namespace liveness

#include "simulation/outage.hpp"

#include <algorithm>
#include <filesystem>

#include "dispatch/round.hpp"
#include "storage/sqlite/database.hpp"
#include "support/database.hpp"
#include "support/desk.hpp"
#include "support/fakes.hpp"

namespace simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::uintmax_t wal_bytes_max = 16'000'000;

}  // namespace

bool run_outage(const OutageOptions& options, std::ostream& out) {
  support::AppDatabase app;
  support::FakeClock clock;
  support::FakeSink sink;
  bool is_down = true;
  std::size_t delivered = 0;
  std::size_t largest_probe = 0;
  bool is_first = true;  // that one meets the outage unaware
  sink.answer = [&](const std::string& body) {
    const std::size_t events = support::events_in(body);
    sink.bodies.clear();
    if (is_down) {
      if (!is_first) largest_probe = std::max(largest_probe, events);
      is_first = false;
      return support::answer_of(503);
    }
    delivered += events;
    return support::answer_of(200);
  };
  const auto database = outbox::storage::open_database({app.path(), {}, {}});
  outbox::storage::Store store{outbox::storage::handle_of(database), "track"};
  store.serve({.endpoint = "fake"}, clock.now());
  outbox::dispatch::Round round{sink, clock.in({.batch_events = 1'000}), 1};

  std::uintmax_t wal_bytes = 0;
  const auto look_at_wal = [&] {
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(app.path() + "-wal", ignored);
    if (!ignored) wal_bytes = std::max(wal_bytes, bytes);
  };
  // The app commits a minute's events at a time; the dispatcher looks four times in it.
  const auto minutes = static_cast<std::int64_t>(options.days * 24 * 60);
  const auto per_minute = static_cast<std::size_t>(options.per_second * 60);
  for (std::int64_t minute = 0; minute < minutes; ++minute) {
    app.enqueue_many(per_minute);
    for (int look = 0; look < 4; ++look) {
      clock.advance(15s);
      round.run(store, 0ms);
    }
    look_at_wal();
  }
  const std::size_t probes = round.totals().requests;
  const std::size_t enqueued = static_cast<std::size_t>(minutes) * per_minute;
  const bool is_untouched = app.count("state = 'pending' and refusals = 0 and solo_failures = 0") ==
                            static_cast<std::int64_t>(enqueued);
  is_down = false;
  while (delivered < enqueued) {
    clock.advance(15s);
    const std::size_t before = delivered;
    while (round.run(store, 0ms).requests > 0) look_at_wal();
    if (delivered == before && !store.queue.has_due(clock.now())) break;
  }
  const bool is_all = app.count("state = 'delivered'") == static_cast<std::int64_t>(enqueued);
  out << options.days << " days of 503 at " << options.per_second << " events/s: " << enqueued
      << " pending, " << (is_untouched ? "none" : "SOME") << " touched; " << probes
      << " requests, after the first of " << largest_probe << " event at most; then "
      << round.totals().requests - probes << " requests delivered " << delivered << "; largest WAL "
      << wal_bytes / 1'000 << " kB\n";
  return is_untouched && largest_probe == 1 && is_all && delivered == enqueued &&
         wal_bytes < wal_bytes_max;
}

}  // namespace simulation

#include "suite/drain.hpp"

#include <filesystem>
#include <stdexcept>

#include "outbox/outbox.hpp"
#include "suite/backlog.hpp"
#include "suite/raw.hpp"
#include "suite/raw_tables.hpp"

namespace bench {

namespace {

// Far above what any drain here takes; it keeps a broken one from hanging.
constexpr auto time_max = std::chrono::minutes{10};

class Received {
 public:
  explicit Received(const Receiver& receiver) : receiver_{receiver}, before_{receiver.events()} {}

  void require(std::uint64_t events, const std::string& who) const {
    const std::uint64_t came = receiver_.events() - before_;
    if (came == events) return;
    throw std::runtime_error{who + ": " + std::to_string(came) + " events came, not " +
                             std::to_string(events)};
  }

 private:
  const Receiver& receiver_;
  std::uint64_t before_;
};

outbox::Endpoint endpoint_of(const Receiver& receiver) {
  return outbox::track_api({.credentials = outbox::bearer("token"), .url = receiver.url()});
}

double deliver_in_process(const std::string& path, const Receiver& receiver,
                          const DrainSettings& settings, std::uint64_t events) {
  const Received received{receiver};
  const auto begin = Clock::now();
  outbox::deliver_once(outbox::DatabaseFile{path}, endpoint_of(receiver),
                       {.batch_events = settings.batch_events, .connections = settings.connections},
                       time_max);
  const double seconds = seconds_since(begin);
  received.require(events, "deliver_once");
  return static_cast<double>(events) / seconds;
}

// A database of each kind with the same events, copied for each run.
struct Backlogs {
  std::string ours;
  std::string one_table;
  std::uint64_t events = 0;
};

// All runs of one batch size and number of connections.
class DrainRuns {
 public:
  DrainRuns(const std::string& cli, const Receiver& receiver, const Backlogs& backlogs,
            const DrainSettings& settings)
      : cli_{cli}, receiver_{receiver}, backlogs_{backlogs}, settings_{settings} {}

  void measure(int times) {
    const std::string what = "drain " + std::to_string(settings_.batch_events) + " x " +
                             std::to_string(settings_.connections);
    measure_beside_loops(
        what + ", process", times, [this] { return by_cli(); },
        [this](raw::Tables tables) { return by_loop_process(tables); });
    print_value(what + ", peak memory", "MB", peaks_mb_, below(25), loop_peaks_mb_);
    measure_beside_loops(
        what + ", deliver_once", times, [this] { return in_this_process(); },
        [this](raw::Tables tables) { return loop_in_this_process(tables); });
  }

 private:
  void measure_beside_loops(const std::string& name, int times, const std::function<double()>& ours,
                            const std::function<double(raw::Tables)>& loop) {
    const auto values = in_turn(times, {ours, [&] { return loop(raw::Tables::one); },
                                        [&] { return loop(raw::Tables::log_and_queue); }});
    const double goal = settings_.batch_events >= 500 ? 2.0 : 1.5;
    print_ratio(name, "events/s", {values[0], values[1]}, at_least(goal));
    print_ratio(name + ", beside a loop on our tables", "events/s", {values[0], values[2]},
                at_least(0.85));
  }

  std::string fresh(const std::string& backlog) const {
    const std::string path = scratch_path("drain.db");
    copy_database(backlog, path);
    return path;
  }
  std::string fresh(raw::Tables tables) const {
    return fresh(tables == raw::Tables::one ? backlogs_.one_table : backlogs_.ours);
  }
  double rate(double seconds) const { return static_cast<double>(backlogs_.events) / seconds; }

  double by_cli() {
    const ProcessRun run =
        drain_by_cli(cli_, fresh(backlogs_.ours), receiver_, settings_, backlogs_.events);
    peaks_mb_.push_back(run.peak_mb);
    return rate(run.seconds);
  }

  double by_loop_process(raw::Tables tables) {
    const std::string path = fresh(tables);
    const Received received{receiver_};
    std::vector<std::string> arguments = {own_path(),       "raw-drain",
                                          "--db",           path,
                                          "--url",          receiver_.url(),
                                          "--batch-events", std::to_string(settings_.batch_events),
                                          "--connections",  std::to_string(settings_.connections)};
    if (tables == raw::Tables::log_and_queue) arguments.emplace_back("--log-and-queue");
    const ProcessRun run = run_process(arguments);
    received.require(backlogs_.events, "the process of a loop");
    if (tables == raw::Tables::one) loop_peaks_mb_.push_back(run.peak_mb);
    return rate(run.seconds);
  }

  double in_this_process() {
    return deliver_in_process(fresh(backlogs_.ours), receiver_, settings_, backlogs_.events);
  }

  double loop_in_this_process(raw::Tables tables) {
    const std::string path = fresh(tables);
    const Received received{receiver_};
    const auto begin = Clock::now();
    raw::drain(path, receiver_.url(),
               {.tables = tables,
                .batch_events = settings_.batch_events,
                .connections = settings_.connections});
    const double seconds = seconds_since(begin);
    received.require(backlogs_.events, "a loop");
    return rate(seconds);
  }

  const std::string& cli_;
  const Receiver& receiver_;
  const Backlogs& backlogs_;
  DrainSettings settings_;
  std::vector<double> peaks_mb_;
  std::vector<double> loop_peaks_mb_;
};

// Every frame that was ever written is there at the end: the WAL begins empty, nothing is
// checkpointed, and another open connection keeps it when the one that drained is closed.
double wal_bytes_of(const std::string& path, const std::function<void()>& drain) {
  const raw::Database keeper = raw::open(path);
  raw::execute(keeper, "select count(*) from sqlite_schema");
  drain();
  return static_cast<double>(std::filesystem::file_size(path + "-wal"));
}

double wal_bytes_of_ours(const std::string& path, const Receiver& receiver,
                         const DrainSettings& settings) {
  return wal_bytes_of(path, [&] {
    const raw::Database db = raw::open(path);
    raw::execute(db, "pragma synchronous = normal; pragma wal_autocheckpoint = 0");
    outbox::deliver_once(
        db.get(), endpoint_of(receiver),
        {.batch_events = settings.batch_events, .connections = settings.connections}, time_max);
  });
}

double wal_bytes_of_loop(const std::string& path, const Receiver& receiver,
                         const DrainSettings& settings) {
  return wal_bytes_of(path, [&] {
    raw::drain(path, receiver.url(),
               {.batch_events = settings.batch_events,
                .connections = settings.connections,
                .checkpoints = raw::Checkpoints::none});
  });
}

Backlogs make_backlogs(std::uint64_t events) {
  Backlogs backlogs{scratch_path("backlog.db"), scratch_path("one_table.db"), events};
  make_database(backlogs.ours, {.events = static_cast<std::int64_t>(events)});
  in_child([&] { raw::make_one_table(backlogs.one_table, backlogs.ours); });
  return backlogs;
}

void remove_backlogs(const Backlogs& backlogs) {
  remove_database(backlogs.ours);
  remove_database(backlogs.one_table);
}

}  // namespace

ProcessRun drain_by_cli(const std::string& cli, const std::string& path, const Receiver& receiver,
                        const DrainSettings& settings, std::uint64_t events) {
  const Received received{receiver};
  const ProcessRun run = run_process({cli, "drain", "--db", path, "--url", receiver.url(),
                                      "--batch-events", std::to_string(settings.batch_events),
                                      "--connections", std::to_string(settings.connections),
                                      "--timeout", "10m", "--auth", "none", "--yes-send-copy"});
  received.require(events, "outbox drain, which ended with " + std::to_string(run.exit_code));
  return run;
}

void measure_drain(Size size, const std::string& cli) {
  const Receiver receiver;
  const Backlogs backlogs = make_backlogs(size == Size::full ? 200'000 : 2'000);
  for (const std::size_t connections : {1, 4}) {
    for (const std::size_t batch : {100, 500, 1000}) {
      say("drain: batch " + std::to_string(batch) + ", connections " + std::to_string(connections));
      in_child([&] {
        DrainRuns{cli, receiver, backlogs, {batch, connections}}.measure(size == Size::full ? 7
                                                                                            : 1);
      });
    }
  }
  remove_backlogs(backlogs);
}

void measure_wal(Size size) {
  say("wal: what a drain writes to it");
  const Receiver receiver;
  const Backlogs backlogs = make_backlogs(size == Size::full ? 200'000 : 2'000);
  const auto events = static_cast<double>(backlogs.events);
  const std::string path = scratch_path("wal.db");
  for (const DrainSettings& settings : {DrainSettings{100, 1}, {500, 1}, {1000, 1}, {1000, 4}}) {
    Pairs pairs;
    copy_database(backlogs.ours, path);
    pairs.ours.push_back(wal_bytes_of_ours(path, receiver, settings) / events);
    copy_database(backlogs.one_table, path);
    pairs.baseline.push_back(wal_bytes_of_loop(path, receiver, settings) / events);
    print_ratio("WAL written, drain " + std::to_string(settings.batch_events) + " x " +
                    std::to_string(settings.connections),
                "bytes/event", pairs, below(0.35));
  }
  remove_database(path);
  remove_backlogs(backlogs);
}

void measure_latency(Size size) {
  constexpr std::chrono::milliseconds latency{50};
  constexpr std::size_t batch = 100;
  const std::size_t requests_each = size == Size::full ? 80 : 4;  // 4 s, or 0.2 s
  Receiver receiver;
  receiver.set_latency(latency);
  for (const std::size_t connections : {1, 4, 16}) {
    const std::uint64_t events = requests_each * batch * connections;
    const double ideal = static_cast<double>(batch * connections) / Seconds{latency}.count();
    say("latency: connections " + std::to_string(connections));
    Pairs pairs;
    for (int i = 0; i < (size == Size::full ? 3 : 1); ++i) {
      const std::string path = scratch_path("latency.db");
      make_database(path, {.events = static_cast<std::int64_t>(events)});
      pairs.ours.push_back(deliver_in_process(path, receiver, {batch, connections}, events));
      pairs.baseline.push_back(ideal);
      remove_database(path);
    }
    print_ratio("50 ms latency, " + std::to_string(batch) + " x " + std::to_string(connections),
                "events/s", pairs, at_least(0.9));
  }
}

}  // namespace bench

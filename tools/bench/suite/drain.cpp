#include "suite/drain.hpp"

#include <stdexcept>

#include "outbox/outbox.hpp"
#include "suite/backlog.hpp"
#include "suite/raw.hpp"

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

// The four runs of one batch size and number of connections, each on its own copy of the backlog.
class DrainRuns {
 public:
  DrainRuns(const std::string& cli, const Receiver& receiver, const std::string& backlog,
            std::uint64_t events, DrainSettings settings)
      : cli_{cli}, receiver_{receiver}, backlog_{backlog}, events_{events}, settings_{settings} {}

  void measure(int times) {
    const std::string what = "drain " + std::to_string(settings_.batch_events) + " x " +
                             std::to_string(settings_.connections);
    const Pairs processes = alternate(
        times, [this] { return by_cli(); }, [this] { return by_raw_process(); });
    print_ratio(what + ", process", "events/s", processes, at_least(0.9));
    print_value(what + ", peak memory", "MB", peaks_mb_, below(25), raw_peaks_mb_);
    const Pairs in_process = alternate(
        times, [this] { return in_this_process(); }, [this] { return raw_in_this_process(); });
    print_ratio(what + ", deliver_once", "events/s", in_process, at_least(0.9));
  }

 private:
  std::string fresh() const {
    const std::string path = scratch_path("drain.db");
    copy_database(backlog_, path);
    return path;
  }
  double rate(double seconds) const { return static_cast<double>(events_) / seconds; }

  double by_cli() {
    const ProcessRun run = drain_by_cli(cli_, fresh(), receiver_, settings_, events_);
    peaks_mb_.push_back(run.peak_mb);
    return rate(run.seconds);
  }

  double by_raw_process() {
    const std::string path = fresh();
    const Received received{receiver_};
    const ProcessRun run =
        run_process({own_path(), "raw-drain", "--db", path, "--url", receiver_.url(),
                     "--batch-events", std::to_string(settings_.batch_events), "--connections",
                     std::to_string(settings_.connections)});
    received.require(events_, "the raw process");
    raw_peaks_mb_.push_back(run.peak_mb);
    return rate(run.seconds);
  }

  double in_this_process() { return deliver_in_process(fresh(), receiver_, settings_, events_); }

  double raw_in_this_process() {
    const std::string path = fresh();
    const Received received{receiver_};
    const auto begin = Clock::now();
    raw::drain(path, receiver_.url(), settings_.batch_events, settings_.connections);
    const double seconds = seconds_since(begin);
    received.require(events_, "the raw loop");
    return rate(seconds);
  }

  const std::string& cli_;
  const Receiver& receiver_;
  const std::string& backlog_;
  std::uint64_t events_;
  DrainSettings settings_;
  std::vector<double> peaks_mb_;
  std::vector<double> raw_peaks_mb_;
};

}  // namespace

ProcessRun drain_by_cli(const std::string& cli, const std::string& path, const Receiver& receiver,
                        const DrainSettings& settings, std::uint64_t events) {
  const Received received{receiver};
  const ProcessRun run =
      run_process({cli, "drain", "--db", path, "--url", receiver.url(), "--batch-events",
                   std::to_string(settings.batch_events), "--connections",
                   std::to_string(settings.connections), "--timeout", "10m"});
  received.require(events, "outbox drain, which ended with " + std::to_string(run.exit_code));
  return run;
}

void measure_drain(Size size, const std::string& cli) {
  const std::uint64_t events = size == Size::full ? 200'000 : 2'000;
  const int times = size == Size::full ? 7 : 1;
  const Receiver receiver;
  const std::string backlog = scratch_path("backlog.db");
  make_database(backlog, {.events = static_cast<std::int64_t>(events)});
  for (const std::size_t connections : {1, 4}) {
    for (const std::size_t batch : {100, 500, 1000}) {
      say("drain: batch " + std::to_string(batch) + ", connections " + std::to_string(connections));
      in_child([&] {
        DrainRuns{cli, receiver, backlog, events, {batch, connections}}.measure(times);
      });
    }
  }
  remove_database(backlog);
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

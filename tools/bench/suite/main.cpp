// How fast is outbox, beside what SQLite and libcurl allow? `tools/bench.sh` runs all of it and
// makes the table; docs/performance.md says what each row means.
//
//     bench drain --size quick

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>

#include "liveness/measure.hpp"
#include "suite/bulk.hpp"
#include "suite/drain.hpp"
#include "suite/enqueue.hpp"
#include "suite/live.hpp"
#include "suite/machine.hpp"
#include "suite/peer.hpp"
#include "suite/process.hpp"
#include "suite/raw.hpp"
#include "suite/receiver.hpp"

namespace {

using bench::Size;

struct Flags {
  Size size = Size::quick;
  std::string cli =
      (std::filesystem::path{bench::own_path()}.parent_path() / "../outbox/outbox").native();
};

struct RawFlags {
  std::string db;
  std::string url;
  std::size_t batch_events = 500;
  std::size_t connections = 1;
  bool is_log_and_queue = false;
};

int measure(const std::function<void()>& work) {
  setenv("OUTBOX_TOKEN", "token", 1);
  return bench::with_scratch_folder([&] {
    work();
    return 0;
  });
}

void add_measurement(CLI::App& app, Flags& flags, int& code, const char* name, const char* about,
                     const std::function<void()>& work) {
  auto* const command = app.add_subcommand(name, about);
  const std::map<std::string, Size> sizes = {{"quick", Size::quick}, {"full", Size::full}};
  command->add_option("--size", flags.size, "quick (default): does it work? full: how fast?")
      ->transform(CLI::CheckedTransformer(sizes));
  command->add_option("--cli", flags.cli, "The program `outbox`; default: of the same build")
      ->check(CLI::ExistingFile);
  command->callback([&code, work] { code = measure(work); });
}

// The parts that other processes play.
void add_parts(CLI::App& app, RawFlags& raw) {
  auto* const drain = app.add_subcommand("raw-drain", "(part of drain) the raw loop");
  drain->add_option("--db", raw.db)->required();
  drain->add_option("--url", raw.url)->required();
  drain->add_option("--batch-events", raw.batch_events);
  drain->add_option("--connections", raw.connections);
  drain->add_flag("--log-and-queue", raw.is_log_and_queue, "On the library's tables");
  drain->callback([&raw] {
    alarm(600);  // ends by itself
    using bench::raw::Tables;
    bench::raw::drain(raw.db, raw.url,
                      {.tables = raw.is_log_and_queue ? Tables::log_and_queue : Tables::one,
                       .batch_events = raw.batch_events,
                       .connections = raw.connections});
  });
  app.add_subcommand("receiver", "(part of drain) the server")->callback([] {
    bench::play_receiver();
  });
  auto* const committer = app.add_subcommand("committer", "(part of waking) commits when told");
  committer->add_option("--db", raw.db)->required();
  committer->callback([&raw] { liveness::play_committer(raw.db); });
}

int run(int argc, char** argv) {
  CLI::App app{"How fast is outbox, beside what SQLite and libcurl allow?", "bench"};
  app.require_subcommand(1);
  Flags flags;
  RawFlags raw;
  int code = 0;
  const auto add = [&](const char* name, const char* about, const std::function<void()>& work) {
    add_measurement(app, flags, code, name, about, work);
  };
  add("machine", "What it is measured on", [] { bench::print_machine(); });
  add("drain", "Delivery, beside raw loops", [&] { bench::measure_drain(flags.size, flags.cli); });
  add("wal", "What delivery writes to the WAL", [&] { bench::measure_wal(flags.size); });
  add("scaling", "Delivery of large backlogs",
      [&] { bench::measure_scaling(flags.size, flags.cli); });
  add("enqueue", "Recording events", [&] { bench::measure_enqueue(flags.size); });
  add("marks", "Beside a busy writer", [&] { bench::measure_marks(flags.size); });
  add("waking", "From commit to request", [&] { bench::measure_waking(flags.size); });
  add("idle", "CPU of an idle dispatcher", [&] { bench::measure_idle(flags.size); });
  add("latency", "A slow receiver", [&] { bench::measure_latency(flags.size); });
  add("bulk", "Work on many rows beside a writer", [&] { bench::measure_bulk(flags.size); });
  add("peer", "Our side of peers.sh", [&] { bench::print_peer_round(flags.size); });
  add_parts(app, raw);
  CLI11_PARSE(app, argc, argv);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << "\n";
    return 1;
  }
}

// How alive is a dispatcher? Takeover, waking, stopping, and marks beside a busy writer.
//
//     liveness takeover       liveness waking       liveness idle
//     liveness stops          liveness marks
//     liveness host

#include <CLI/CLI.hpp>
#include <cstdint>
#include <iostream>
#include <string>

#include "liveness/measure.hpp"
#include "liveness/stops.hpp"
#include "liveness/world.hpp"

namespace liveness {

void measure_stops(std::size_t count) {
  const StopsResult result = stop_often(count, 20'241'120);
  const Quantiles found = quantiles_of(result.stop_ms);
  std::cout << count << " stops: p50 " << found.p50 << " ms, p99 " << found.p99 << " ms, max "
            << found.max << " ms beyond the deadline; " << result.lost << " events lost"
            << std::endl;
}

}  // namespace liveness

int main(int argc, char** argv) {
  CLI::App app{"How alive is a dispatcher?", "liveness"};
  app.require_subcommand(1);
  std::size_t takeovers = 50;
  auto* const takeover = app.add_subcommand("takeover", "kill -9, then the next event");
  takeover->add_option("--times", takeovers)->capture_default_str();
  std::size_t wakings = 200;
  auto* const waking = app.add_subcommand("waking", "From commit to request, idle queue");
  waking->add_option("--times", wakings)->capture_default_str();
  int idle_seconds = 60;
  auto* const idle = app.add_subcommand("idle", "CPU of an idle dispatcher");
  idle->add_option("--seconds", idle_seconds)->capture_default_str();
  std::size_t stop_count = 10'000;
  auto* const stops = app.add_subcommand("stops", "Stops at random instants");
  stops->add_option("--count", stop_count)->capture_default_str();
  int marks_seconds = 15;
  auto* const marks = app.add_subcommand("marks", "Marks beside a writer in a tight loop");
  marks->add_option("--seconds", marks_seconds)->capture_default_str();
  int host_seconds = 60;
  auto* const host =
      app.add_subcommand("host", "Failed transactions of a host beside a dispatcher");
  host->add_option("--seconds", host_seconds, "Length of each of the two runs")
      ->check(CLI::Range(1, 600));

  std::string db;
  std::string url;
  bool forks = false;
  auto* const holder = app.add_subcommand("holder", "(part of takeover) a dispatcher");
  holder->add_option("--db", db)->required();
  holder->add_option("--url", url)->required();
  holder->add_flag("--fork", forks);
  auto* const exiter = app.add_subcommand("exiter", "(part of the tests) ends by std::exit");
  exiter->add_option("--db", db)->required();
  exiter->add_option("--url", url)->required();
  auto* const committer = app.add_subcommand("committer", "(part of waking) commits when told");
  committer->add_option("--db", db)->required();

  CLI11_PARSE(app, argc, argv);
  try {
    if (takeover->parsed()) liveness::measure_takeover(takeovers);
    if (waking->parsed()) liveness::measure_waking(wakings);
    if (idle->parsed()) liveness::measure_idle(idle_seconds);
    if (stops->parsed()) liveness::measure_stops(stop_count);
    if (marks->parsed()) liveness::measure_marks(marks_seconds);
    if (host->parsed() && !liveness::measure_host(host_seconds)) return 1;
    if (holder->parsed()) liveness::play_holder(db, url, forks);
    if (exiter->parsed()) liveness::play_exiter(db, url);
    if (committer->parsed()) liveness::play_committer(db);
  } catch (const std::exception& error) {
    std::cerr << "liveness: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

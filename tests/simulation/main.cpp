// The program `simulation`: many lives of a dispatcher, one a seed.
//
//     simulation lives --seeds 10000 --steps 100     1,000,000 steps
//     simulation lives --seed 1234 --story           one of them again, with what happens in it
//     simulation isolation                           every place of bad events among 128
//     simulation outage --days 7 --per-second 10     a week of 503, then all is delivered

// What is shared with the tests was compiled with their headers.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <malloc.h>
#include <sqlite3.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "simulation/outage.hpp"
#include "simulation/world.hpp"
#include "support/isolation.hpp"

namespace {

std::mutex printing;

// Runs `work(i)` for 0 ≤ i < count on all cores, until one returns false.
template <class Work>
bool for_each_index(std::size_t count, Work work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> is_fine = true;
  std::vector<std::thread> threads;
  const unsigned cores = std::max(std::thread::hardware_concurrency(), 1U);
  for (unsigned core = 0; core < cores; ++core) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count && is_fine; i = next++) {
        if (!work(i)) is_fine = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return is_fine;
}

bool live(std::uint64_t seed, std::size_t steps, std::ostream* story,
          std::atomic<std::size_t>& requests) {
  try {
    simulation::World world{seed, story};
    world.live(steps);
    requests += world.requests();
    return true;
  } catch (const std::exception& error) {
    const std::lock_guard guard{printing};
    std::cout << "seed " << seed << ": " << error.what() << "\nagain: simulation lives --seed "
              << seed << " --steps " << steps << " --story" << std::endl;
    return false;
  }
}

int lives(std::optional<std::uint64_t> seed, std::uint64_t first, std::size_t seeds,
          std::size_t steps, std::ostream* story) {
  std::atomic<std::size_t> requests = 0;
  const bool is_fine =
      seed ? live(*seed, steps, story, requests) : for_each_index(seeds, [&](std::size_t i) {
        return live(first + i, steps, nullptr, requests);
      });
  const std::size_t count = seed ? 1 : seeds;
  if (is_fine) {
    std::cout << count << " lives, " << count * steps << " steps, " << requests
              << " requests: no violation\n";
  }
  return is_fine ? 0 : 1;
}

// One and two bad events at every place, three to five at seeded ones.
std::vector<std::set<std::size_t>> placements(std::size_t random_count) {
  std::vector<std::set<std::size_t>> all;
  for (std::size_t one = 0; one < 128; ++one) {
    all.push_back({one});
    for (std::size_t two = one + 1; two < 128; ++two) all.push_back({one, two});
  }
  std::mt19937 random{20'241'120};
  for (std::size_t i = 0; i < random_count; ++i) {
    std::set<std::size_t> bad;
    while (bad.size() < 3 + i % 3) bad.insert(random() % 128);
    all.push_back(std::move(bad));
  }
  return all;
}

int isolation(std::size_t random_count) {
  using support::IsolationDesk;
  const auto all = placements(random_count);
  std::atomic<std::size_t> most[6] = {};
  const bool is_fine = for_each_index(all.size(), [&](std::size_t i) {
    thread_local IsolationDesk desk{128};
    std::vector<IsolationDesk::Crashes> runs{IsolationDesk::Crashes::none};
    // Opening everything anew after each round takes most of the time.
    if (all[i].size() < 3 || i % 10 == 0) runs.push_back(IsolationDesk::Crashes::after_each_round);
    for (const auto crashes : runs) {
      const support::Isolation found = desk.run(all[i], crashes);
      std::atomic<std::size_t>& record = most[all[i].size()];
      std::size_t known = record;
      while (known < found.requests && !record.compare_exchange_weak(known, found.requests)) {
      }
      if (!found.fault.empty()) {
        const std::lock_guard guard{printing};
        std::cout << "placement " << i << ": " << found.fault << std::endl;
        return false;
      }
    }
    return true;
  });
  std::cout << all.size()
            << " placements (those of 1 and 2 bad events, and a tenth of the others, also with a "
               "crash after every round); most requests:";
  bool is_within = is_fine;
  for (std::size_t bad = 1; bad <= 5; ++bad) {
    std::cout << " " << most[bad] << " for " << bad;
    is_within = is_within && most[bad] <= support::isolation_requests_max[bad];
  }
  std::cout << (is_within ? "\n" : ": TOO MANY\n");
  return is_within ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Memory that one thread gives back to the system, and counters that all share, hold up the
  // others.
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  CLI::App app{"Lives of a dispatcher in simulated time", "simulation"};
  app.require_subcommand(1);

  std::optional<std::uint64_t> seed;
  std::uint64_t first = 0;
  std::size_t seeds = 10'000;
  std::size_t steps = 100;
  auto* const lives_command = app.add_subcommand("lives", "Random lives, one a seed");
  lives_command->add_option("--seed", seed, "Only this one");
  lives_command->add_option("--seeds", seeds, "So many")->capture_default_str();
  lives_command->add_option("--first", first, "From this one on")->capture_default_str();
  lives_command->add_option("--steps", steps, "Steps of each")->capture_default_str();
  bool has_story = false;
  lives_command->add_flag("--story", has_story, "With --seed: tell what happens");

  std::size_t random_count = 100'000;
  auto* const isolation_command =
      app.add_subcommand("isolation", "Every place of bad events among 128");
  isolation_command->add_option("--random", random_count, "Placements of 3 to 5 bad events")
      ->capture_default_str();

  simulation::OutageOptions outage;
  auto* const outage_command = app.add_subcommand("outage", "An outage of days, and its end");
  outage_command->add_option("--days", outage.days)->capture_default_str();
  outage_command->add_option("--per-second", outage.per_second)->capture_default_str();

  CLI11_PARSE(app, argc, argv);
  try {
    if (lives_command->parsed()) {
      return lives(seed, first, seeds, steps, has_story ? &std::cout : nullptr);
    }
    if (isolation_command->parsed()) return isolation(random_count);
    return simulation::run_outage(outage, std::cout) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "simulation: " << error.what() << "\n";
    return 1;
  }
}

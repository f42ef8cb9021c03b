// The program `io_faults`: each call that SQLite makes of the file system fails, once and from then
// on, while an app migrates, enqueues, delivers, prunes and erases. Afterwards the disk works
// again, and nothing may be lost, invented or left half done.
//
//     io_faults [STRIDE]      every STRIDE-th call; 1: each

#include <chrono>
#include <functional>
#include <iostream>
#include <outbox/outbox.hpp>
#include <string>
#include <vector>

#include "faults/small_app.hpp"
#include "simulation/fault_vfs.hpp"

using namespace std::chrono_literals;
using namespace faults;
using simulation::Faults;

namespace {

// What is done while the disk fails.
struct Scenario {
  const char* name;
  bool begins_migrated;
  bool begins_delivered;
  const char* erased;  // who may be missing afterwards
  std::function<void(const std::string& path, Bench& bench)> action;
};

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"migrate", false, false, "",
       [](const std::string& path, Bench&) {
         SQLite::Database db = open_app(path, simulation::fault_vfs);
         outbox::migrate(db);
       }},
      {"enqueue", true, false, "",
       [](const std::string& path, Bench&) {
         SQLite::Database db = open_app(path, simulation::fault_vfs);
         enqueue(db, "u2");
       }},
      {"deliver", true, false, "",
       [](const std::string& path, Bench& bench) {
         outbox::deliver_once({path, simulation::fault_vfs}, bench.endpoint(), options(), 200ms);
       }},
      {"prune", true, true, "",
       [](const std::string& path, Bench&) {
         outbox::prune({path, simulation::fault_vfs}, {.older_than = 0ms});
       }},
      {"erase", true, false, "u1-a",
       [](const std::string& path, Bench&) {
         outbox::erase({path, simulation::fault_vfs}, outbox::Subject::user("u1-a"),
                       {.reason = "asked"});
       }},
  };
  return all;
}

void begin(const Scenario& scenario, const std::string& path, Bench& bench) {
  if (!scenario.begins_migrated) return;
  SQLite::Database db = open_app(path);
  outbox::migrate(db);
  enqueue(db, "u1");
  if (scenario.begins_delivered) outbox::deliver_once(db, bench.endpoint(), options());
}

struct Result {
  std::int64_t points = 0;
  std::int64_t failures = 0;
};

// The n-th call fails, n from 1 until the action gets through untouched.
void run(const Scenario& scenario, Faults::Kind kind, bool is_for_ever, std::int64_t stride,
         Bench& bench, Result& result) {
  for (std::int64_t calls_before = 0;; calls_before += stride) {
    const std::string path = bench.new_path();
    begin(scenario, path, bench);
    simulation::faults() = {
        .is_armed = true, .kind = kind, .calls_before = calls_before, .is_for_ever = is_for_ever};
    const auto start = std::chrono::steady_clock::now();
    try {
      scenario.action(path, bench);
    } catch (const std::exception&) {  // that is what failing calls are for
    }
    const bool has_struck = simulation::faults().struck > 0;
    simulation::faults() = {};
    std::string fault = fault_after(path, bench, {.erased = scenario.erased});
    if (std::chrono::steady_clock::now() - start > 60s) fault = "it took more than a minute";
    if (!fault.empty()) {
      ++result.failures;
      std::cout << "FAILURE " << scenario.name << ", kind " << static_cast<int>(kind) << ", call "
                << calls_before + 1 << (is_for_ever ? " for ever: " : ": ") << fault << std::endl;
    }
    bench.remove(path);
    if (!has_struck) return;
    ++result.points;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::int64_t stride = argc > 1 ? std::stoll(argv[1]) : 1;
  simulation::register_fault_vfs();
  Bench bench;
  Result result;
  for (const Scenario& scenario : scenarios()) {
    const std::int64_t before = result.points;
    for (const auto kind : {Faults::Kind::io_error, Faults::Kind::full}) {
      run(scenario, kind, false, stride, bench, result);
      run(scenario, kind, true, stride, bench, result);
    }
    run(scenario, Faults::Kind::busy_lock, false, stride, bench, result);
    std::cout << scenario.name << ": " << result.points - before << " failing calls" << std::endl;
  }
  std::cout << "torture: count=" << result.points << " failures=" << result.failures
            << " seed=- note=stride_" << stride << std::endl;
  return result.failures == 0 && result.points > 0 ? 0 : 1;
} catch (const std::exception& error) {
  simulation::faults() = {};
  std::cerr << "io_faults: " << error.what() << "\n";
  return 1;
}

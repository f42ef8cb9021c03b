#pragma once

// One simulated life of a dispatcher: the real round, policy and store on a real file, single
// threaded, in simulated time, with an endpoint, people and a disk that do their worst. All that
// happens follows from the seed.

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "dispatch/round.hpp"
#include "simulation/endpoint.hpp"
#include "simulation/model.hpp"
#include "simulation/oracle.hpp"
#include "storage/database.hpp"
#include "support/database.hpp"
#include "support/fakes.hpp"

namespace simulation {

class World {
 public:
  explicit World(std::uint64_t seed);

  /// So many random steps, each followed by the oracle; then the faults end, and the queue must
  /// empty within a bound. Throws: `Violation`.
  void live(std::size_t steps);

  /// Requests that the endpoint saw.
  std::size_t requests() const { return model_.requests; }

 private:
  void step();
  void die_out();

  // the app
  void enqueue();
  void enqueue_once();
  void insert_by_sql();
  void add(Event event);
  // people
  void pause_or_resume();
  void discard();
  void retry();
  void requeue();
  void erase();
  // the endpoint and the machine
  void change_mood();
  void break_disk();
  void move_clock();
  void crash();
  // the dispatcher
  void prune();
  void run_round();
  void open();
  void close();
  void wait_for_next();

  std::uint64_t pick(std::uint64_t count) { return random_() % count; }
  bool chance(std::uint64_t one_in) { return pick(one_in) == 0; }
  std::int64_t random_event(const std::string& condition);
  std::int64_t number(const std::string& sql) { return app_.db().execAndGet(sql).getInt64(); }

  std::mt19937_64 random_;
  Oracle oracle_;
  outbox::DispatcherOptions options_;
  support::AppDatabase app_;
  support::FakeClock clock_;
  Model model_;
  Endpoint endpoint_{model_, random_};
  std::uint64_t users_ = 0;

  outbox::storage::OpenDatabase database_;
  std::unique_ptr<outbox::storage::Store> store_;
  std::unique_ptr<outbox::dispatch::Round> round_;
};

}  // namespace simulation

#pragma once

// One simulated life of an app's outbox: two destinations, each with the real round, policy and
// store, on one real file, single threaded, in simulated time, with endpoints, people and a disk
// that do their worst. All that happens follows from the seed.

#include <cstdint>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "simulation/model.hpp"
#include "simulation/oracle.hpp"
#include "simulation/service.hpp"
#include "support/database.hpp"
#include "support/fakes.hpp"

namespace simulation {

class World {
 public:
  /// `story`: where to tell what happens; null: nowhere.
  explicit World(std::uint64_t seed, std::ostream* story = nullptr);

  /// So many random steps, each followed by the oracle; then the faults end, and the queue must
  /// empty within a bound. Throws: `Violation`.
  void live(std::size_t steps);

  /// Requests that the endpoints saw.
  std::size_t requests() const;

 private:
  void make_destination(const char* name);
  void step();
  void trouble(std::uint64_t lot);
  void check() { oracle_->check(); }
  void die_out();
  void require_delivery();
  void tidy_up(std::size_t destination);
  void check_end();

  // the app
  void enqueue();
  void enqueue_once();
  void insert_by_sql();
  void switch_triggers();
  std::size_t pick_size();
  Event new_event();
  void add(Event event);
  void use_our_time(const Event& event);
  bool has_triggers();
  // people
  void pause_or_resume(std::size_t destination);
  void discard();
  void discard(const std::vector<std::int64_t>& ids);
  void retry();
  void note_retry(std::int64_t id);
  void begin_patience(Event& event);
  void requeue();
  void move_events();
  bool has_dedupe_key(std::size_t destination, const std::string& key) const;
  void erase();
  // the endpoint and the machine
  void run_rounds();
  void change_mood();
  void break_disk();
  void move_clock();
  void crash(std::size_t destination);
  void wait_for_next();

  std::uint64_t pick(std::uint64_t count) { return random_() % count; }
  bool chance(std::uint64_t one_in) { return pick(one_in) == 0; }
  std::size_t any_destination() { return static_cast<std::size_t>(pick(services_.size())); }
  Service& service_of(const Event& event) { return *services_[event.destination]; }
  const std::string& name_of(std::size_t destination) const {
    return model_.destinations[destination].name;
  }
  std::int64_t random_event(const std::string& condition);
  std::vector<std::int64_t> random_events(const std::string& condition);

  std::mt19937_64 random_;
  Strictness strictness_;
  bool is_calm_;  // little trouble, so that memory lives long
  bool has_slow_answers_;
  support::AppDatabase app_;
  support::FakeClock clock_;
  Model model_;
  std::vector<outbox::DispatcherOptions> options_;  // by destination
  std::vector<std::unique_ptr<Service>> services_;
  std::map<std::int64_t, outbox::core::Instant> late_since_;  // good events that may go
  std::unique_ptr<Oracle> oracle_;
  std::uint64_t users_ = 0;
};

}  // namespace simulation

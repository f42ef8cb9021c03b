#pragma once

// The process that serves one destination: the real round, policy and store, in simulated time.

#include <memory>
#include <random>

#include "dispatch/round.hpp"
#include "simulation/endpoint.hpp"
#include "simulation/model.hpp"
#include "simulation/progress.hpp"
#include "storage/sqlite/database.hpp"
#include "support/database.hpp"
#include "support/fakes.hpp"

namespace simulation {

class Service {
 public:
  Service(Model& model, std::size_t destination, outbox::DispatcherOptions options, Latency latency,
          support::AppDatabase& app, support::FakeClock& clock, std::mt19937_64& random);

  /// What the dispatcher's thread does in a pass, with its way of dealing with trouble of the
  /// database. Throws: `Violation`.
  void run_round();
  /// Answers arrive between two rounds.
  void wait();
  /// As the dispatcher does between rounds.
  void prune(outbox::core::Instant delivered_before);
  /// The process is gone, and another one begins; what the endpoint took and the table does not
  /// say, it may take again.
  void crash();
  /// Whether dead events hold their key: from the next start on.
  void set_blocks_on_dead(bool blocks);

  /// Something of `id` is under way, or known and not recorded.
  bool may_concern(std::int64_t id) const;
  /// For a reason that says nothing against the dispatcher: the event itself, or its time.
  bool may_wait(const Event& event) const;

  /// Nothing is under way, and each answer is judged.
  bool is_quiet() const { return endpoint_.under_way() == 0 && !round_->has_arrived(); }

  Endpoint& endpoint() { return endpoint_; }

 private:
  void start();
  void open();
  void close();
  Destination& destination() { return model_.destinations[index_]; }
  std::vector<std::int64_t> earlier_of_key(std::int64_t id);

  Model& model_;
  std::size_t index_;
  outbox::DispatcherOptions options_;
  support::AppDatabase& app_;
  support::FakeClock& clock_;
  std::mt19937_64& random_;
  Endpoint endpoint_;
  Progress progress_;
  outbox::storage::OpenDatabase database_;
  std::unique_ptr<outbox::storage::Store> store_;
  std::unique_ptr<outbox::dispatch::Round> round_;
};

}  // namespace simulation

#pragma once

// One pass of the dispatcher, without a thread: look → intend → take → plan → send → collect →
// settle → record.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/endpoint_state.hpp"
#include "core/decide/intend.hpp"
#include "core/decide/plan.hpp"
#include "core/decide/rate.hpp"
#include "core/decide/settle.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/sink.hpp"
#include "storage/life/store.hpp"

namespace outbox::dispatch {

struct RoundTotals {
  std::uint64_t delivered = 0;
  std::uint64_t dead = 0;
  std::uint64_t requests = 0;
  Histogram request_duration{request_duration_bounds};
  Histogram delivery_lag{delivery_lag_bounds};
};

/// What one round did, and what the next one should know.
struct RoundReport {
  std::uint64_t delivered = 0;  // recorded by it, also of an earlier round's
  std::uint64_t dead = 0;
  std::uint64_t requests = 0;
  bool has_more = false;                   // there may be more to take at once
  std::chrono::microseconds recording{0};  // how long nobody else could write
  bool has_row = false;  // false: gone, or not as it was served; it must be served again
  bool is_paused = false;
  std::optional<core::Instant> resume_at = {};  // before it the rate allows no request
  std::optional<core::HoldState> hold = {};
  std::optional<Verdict> failure = {};  // of the newest request that failed
};

/// Keeps between rounds what is in flight and what could not be recorded.
/// Lifetime: `sink` must outlive it. Threads: one at a time.
class Round {
 public:
  /// Throws: as `require_options`.
  Round(Sink& sink, const DispatcherOptions& options, std::uint64_t seed);
  /// As `abort`: an answer that came later would be taken for another round's.
  ~Round();
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  /// Runs one round on `store`. Waits up to `wait_max` for an answer when something is in flight,
  /// and not at all otherwise.
  ///
  /// Throws: `database_error`, `schema_error`. What was delivered by then and not recorded is kept,
  /// and recorded by a later call, on the same or another store, before anything new is sent.
  /// Without memory, and when the sink throws, what is in flight is forgotten and stays pending.
  RoundReport run(storage::Store& store, std::chrono::milliseconds wait_max);

  /// Waits between rounds, until the sink is woken or `time_max` has passed. Answers that arrive
  /// meanwhile are kept for the next round.
  void wait(std::chrono::milliseconds time_max);

  /// The next round tries although the destination is on hold, with one single event.
  void probe_now() { probes_now_ = true; }
  /// From now on nothing new is sent.
  void stop_sending() { is_sending_ = false; }
  /// Forgets what is in flight: it stays pending.
  void abort();
  /// The next store is another connection: what is in flight is compared row by row.
  void meet_connection() { claims_.forget_version(); }
  /// Forgets also what could not be recorded: the database is another one.
  void forget();

  /// There are answers for the next round.
  bool has_arrived() const { return !arrived_.empty(); }
  bool has_in_flight() const { return !in_flight_.empty(); }
  /// When what the oldest request carries was read, of those under way and those whose answer is
  /// not recorded yet: it may still be written into the log. None: there is no such request.
  std::optional<core::Instant> in_flight_since() const;
  /// Something was delivered or found dead and is not recorded yet.
  bool has_unrecorded() const { return !unrecorded_.changes.is_empty(); }
  /// What has been recorded since the beginning, also by rounds that ended in an exception.
  const RoundTotals& totals() const { return totals_; }

 private:
  /// A request that is to be made.
  struct Outgoing {
    Batch batch;
    storage::Taken taken;
    std::optional<std::int64_t> search = {};  // the request whose search it is a part of
    core::Suspicion suspicion = {};           // of its only event, when that is a suspect
  };
  /// A request under way. Its events are claimed until what became of them is recorded.
  struct InFlight {
    core::SentBatch sent;
    storage::Taken taken;
    core::Instant read_at;  // what it carries is of that moment, or later
  };
  /// Events whose fate is known, and is to be recorded.
  struct Ended {
    storage::Taken taken;
    bool has_left = false;                      // all of them have left the ready part of the queue
    std::optional<core::Instant> read_at = {};  // as of their request; none: they had none
  };
  /// What a round has found before anything is sent.
  struct Gathered {
    std::vector<Outgoing> outgoing = {};
    core::SetAside aside = {};
    std::vector<core::QueuedEvent> waiting = {};
    std::vector<Ended> dead = {};  // of events that die without a request
    bool has_more = false;
  };
  /// What is not recorded yet, and the claims that end with it.
  struct Unrecorded {
    storage::Changes changes = {};
    std::vector<Ended> ended = {};
  };

  core::Intent intend(const core::DestinationState& state);
  void gather_expired(storage::Store& store, Gathered& gathered);
  void gather(storage::Store& store, const core::DestinationState& state,
              const core::Intent& intent, Gathered& gathered);
  bool gather_probe(storage::Store& store, const core::DestinationState& state,
                    const core::Intent& intent, Gathered& gathered);
  void gather_parts(storage::Store& store, const core::DestinationState& state,
                    const core::Intent& intent, Gathered& gathered);
  void gather_part(storage::Store& store, const core::OpenSearch& search,
                   const core::Intent& intent, Gathered& gathered);
  bool gather_suspect(storage::Store& store, const core::DestinationState& state,
                      storage::SuspectLimits limits, Gathered& gathered);
  void gather_due(storage::Store& store, const core::Intent& intent, Gathered& gathered);
  void add(core::Plan plan, storage::Taken taken, std::optional<std::int64_t> search,
           const core::Suspicion& suspicion, Gathered& gathered) const;
  void send(storage::Store& store, std::vector<Outgoing> outgoing);
  void submit(Outgoing outgoing);
  std::vector<core::SentBatch> collect(std::chrono::milliseconds wait_max,
                                       std::vector<Ended>& ended);
  void take_in(std::vector<Sink::Reply> replies, std::vector<core::SentBatch>& sent,
               std::vector<Ended>& ended);
  void record(storage::Store& store);
  void count(const core::SentBatch& sent, core::Instant now);
  void follow_people(const core::DestinationState& state);
  core::PlanRules plan_rules() const;
  double chance() { return std::uniform_real_distribution<double>{0.0, 1.0}(random_); }

  Sink& sink_;
  const core::Clock clock_;
  DispatcherOptions options_;
  BatchRules sink_rules_;
  core::BatchLimits limits_;
  core::Policy policy_;
  core::RateLimit rate_;
  std::mt19937_64 random_;

  storage::Claims claims_;  // outlives what holds a part of it
  std::map<std::uint64_t, InFlight> in_flight_;
  std::vector<Sink::Reply> arrived_;  // between rounds
  Unrecorded unrecorded_;
  RoundTotals totals_;
  std::chrono::microseconds recording_{0};  // in this round
  std::int64_t probes_asked_ = -1;          // as last seen; -1: not yet
  core::Instant read_at_ = {};              // when this round began to read
  core::Instant looked_for_expired_ = {};
  bool was_suspects_turn_ = false;
  bool probes_now_ = false;
  bool is_sending_ = true;
};

}  // namespace outbox::dispatch

#pragma once

// One pass of the dispatcher, without a thread: take → plan → deliver → judge → settle → record.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>

#include "core/clock.hpp"
#include "core/destination.hpp"
#include "core/outcome.hpp"
#include "core/plan.hpp"
#include "core/settle.hpp"
#include "core/sink.hpp"
#include "dispatch/intake.hpp"
#include "outbox/dispatcher.hpp"
#include "storage/store.hpp"

namespace outbox::dispatch {

/// Throws: `std::invalid_argument` when an option is out of its range.
void require_options(const DispatcherOptions& options);

/// How `options` say that the destination is served through `sink`, on the file `identity`.
storage::Service service_of(const Sink& sink, const DispatcherOptions& options,
                            const std::string& identity);

struct RoundTotals {
  std::uint64_t delivered = 0;
  std::uint64_t dead = 0;
  std::uint64_t requests = 0;
};

/// What one round did, and what the next one should know.
struct RoundReport {
  std::uint64_t delivered = 0;  // recorded by it, also of an earlier round's
  std::uint64_t dead = 0;
  std::uint64_t requests = 0;
  bool has_more = false;                   // there may be more to take at once
  std::chrono::microseconds recording{0};  // for so long nobody else could write
  bool is_paused = false;
  std::optional<core::HoldState> hold = {};
  std::optional<Verdict> failure = {};  // of the newest attempt that failed
};

/// Keeps between rounds what is in flight and what could not be recorded.
/// Lifetime: `sink` and `clock` must outlive it. Threads: one at a time.
class Round {
 public:
  /// Throws: as `require_options`.
  Round(Sink& sink, const core::Clock& clock, const DispatcherOptions& options, std::uint64_t seed);
  /// As `abort`: an answer that came later would be taken for another round's.
  ~Round();
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  /// Runs one round on `store`. Waits up to `wait_max` for an answer when something is in flight,
  /// and not at all otherwise.
  ///
  /// Throws: `database_error`, `schema_error`. What was delivered by then and not recorded is kept,
  /// and recorded by a later call, on the same or another store, before anything new is sent.
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

  /// Forgets also what could not be recorded: the database is another one.
  void forget();

  /// There are answers for the next round.
  bool has_arrived() const { return !arrived_.empty(); }
  bool has_in_flight() const { return !in_flight_.empty(); }
  /// When what the oldest request under way carries was read; none: nothing is under way.
  std::optional<core::Instant> in_flight_since() const;
  /// Something was delivered or found dead and is not recorded yet.
  bool has_unrecorded() const { return !unrecorded_.is_empty(); }
  /// What has been recorded since the beginning, also by rounds that ended in an exception.
  const RoundTotals& totals() const { return totals_; }

 private:
  struct InFlight {
    core::Ids ids;
    std::size_t bytes;
    core::Instant started;
    core::Instant read_at;  // what it carries is of that moment, or later
    std::optional<std::int64_t> search;
    core::Suspicion suspicion;
  };

  storage::IdSet ids_in_flight() const;
  bool may_send(const core::DestinationState& state);
  std::vector<core::Death> take_expired(storage::Store& store);
  Intaken take(storage::Store& store, const core::DestinationState& state,
               const std::vector<core::Death>& expired);
  static void take_again(storage::Store& store, const std::vector<core::Attempt>& attempts,
                         const core::Ids& left_searches);
  void deliver(storage::Store& store, std::vector<Outgoing> outgoing);
  void submit(Outgoing outgoing);
  std::vector<core::Attempt> collect(std::chrono::milliseconds wait_max);
  void judge(const std::vector<Sink::Reply>& replies, std::vector<core::Attempt>& attempts);
  void record(storage::Store& store);
  void follow_nudges(storage::Store& store, const core::DestinationState& state);
  double chance() { return std::uniform_real_distribution<double>{0.0, 1.0}(random_); }

  Sink& sink_;
  const core::Clock& clock_;
  DispatcherOptions options_;
  core::Policy policy_;
  std::mt19937_64 random_;
  Intake intake_{options_};

  std::map<std::uint64_t, InFlight> in_flight_;
  std::vector<Sink::Reply> arrived_;  // between rounds
  core::Settlement unrecorded_;
  RoundTotals totals_;
  std::chrono::microseconds recording_{0};  // in this round
  std::uint64_t next_token_ = 1;
  std::int64_t nudges_ = -1;    // as last seen; -1: not yet
  std::int64_t looks_ = 0;      // as last seen
  core::Instant read_at_ = {};  // when this round began to read
  core::Instant looked_for_expired_ = {};
  bool probes_now_ = false;
  bool is_sending_ = true;
};

}  // namespace outbox::dispatch

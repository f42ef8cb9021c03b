#pragma once

// What goes next. Reads only: what it takes is claimed in memory, and everything else about the
// queue is in the table.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/intend.hpp"
#include "core/decide/plan.hpp"
#include "core/event/pending_event.hpp"
#include "core/event/queued_event.hpp"
#include "storage/life/claims.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// The texts of the events of a take. One piece of memory for many of them: a string each would
/// cost as much as reading them.
class Texts {
 public:
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    auto* const copy = static_cast<char*>(memory_->allocate(text.size(), 1));
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
  }

 private:
  static constexpr std::size_t first_bytes = 16 * 1024;
  std::unique_ptr<std::pmr::monotonic_buffer_resource> memory_ =
      std::make_unique<std::pmr::monotonic_buffer_resource>(first_bytes);
};

/// Events that go next, in order of id.
struct Take {
  Texts texts = {};
  std::vector<core::PendingEvent> events = {};  // they point into `texts`
  Taken taken = {};                             // the same events
  std::vector<core::QueuedEvent> waiting = {};  // found behind an earlier event of their key
  bool has_more = false;                        // it ended before the last event that is due
};

/// One event that asks whether the endpoint works.
struct ProbeTake {
  Take take = {};
  std::optional<std::int64_t> search = {};  // the request whose search it is in
};

/// A suspect whose turn it is: one event.
struct TakenSuspect {
  Take take = {};
  core::Suspicion suspicion = {};
};

/// Which suspects may be judged now.
struct SuspectLimits {
  std::int64_t accepted_request = 0;  // the newest request in which something was accepted
  bool counts_earlier_evidence =
      false;  // also what was accepted while the suspect was searched for
  std::chrono::milliseconds wait_max{0};  // a longer wait comes from a clock that jumped
  double place = 0;                       // of the way from the first to the last of them, 0 to 1
};

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Queue {
 public:
  Queue(sqlite3* db, std::string destination);

  /// A later event of a key with a dead one waits too, if death blocks. Set by `serve`.
  void set_on_dead(core::OnDead on_dead) { on_dead_ = on_dead; }

  /// Ready events that are due, as many as `limits` allow. One with an ordering key goes only if
  /// every earlier event of its key is in the same take.
  Take take(const core::BatchLimits& limits, core::Instant now, Claims& claims);
  /// Those of `ids` (ascending) that a search is about and that no earlier event of their key
  /// holds.
  Take take_searched(const core::Ids& ids, Claims& claims);
  /// One event of the ready, those in a search or the scheduled, due at `now`: the first that may
  /// go from the place on, else the first before it. No event: none may go, unless there is more
  /// than the 2,000 that it looked at. Those that it finds behind an earlier event of their key are
  /// `waiting`: when they are moved, another look finds what is behind them.
  ProbeTake take_probe(const core::ProbeLook& look, core::Instant now, Claims& claims);
  /// A suspect whose next try is due or for which there is new evidence.
  std::optional<TakenSuspect> take_suspect(const SuspectLimits& limits, core::Instant now,
                                           Claims& claims);

  /// Up to `events_max` undelivered events that were due before `due_before` and are not in flight.
  std::vector<core::QueuedEvent> expired(core::Instant due_before, core::Instant now,
                                         std::size_t events_max, const Claims& claims);

  /// When the next ready event becomes due, or a suspect's next try; none: nothing is for later.
  std::optional<core::Instant> next_due(core::Instant now);
  /// Whether an event is due at `now` that is ready or in a search.
  bool has_due(core::Instant now);
  /// How many events are not delivered though they are due: ready or in a search; and the suspects,
  /// whatever they wait for. Those that wait behind one of these are not counted.
  std::int64_t remaining_count(core::Instant now);

  /// Changes when another connection has committed (sqlite.org/pragma.html#pragma_data_version).
  std::int64_t data_version();

 private:
  struct Taking;
  bool step_scheduled(core::Instant now);
  void add_scheduled(Taking& taking, std::size_t events_max);
  std::int64_t add_at_once(Taking& taking, std::int64_t after);
  void add_ready(Taking& taking, const Statement& row, std::int64_t due_at_ms);
  void add_followers(Taking& taking, std::int64_t before);
  void remember_follower(Taking& taking, const std::string& key, std::int64_t id);
  bool is_held(Taking& taking, const std::string& key, std::int64_t id);
  bool is_held_in_table(const Taking& taking, const std::string& key, std::int64_t id);
  bool is_cornered(const std::string& key, std::int64_t id, std::int64_t accepted_request,
                   core::Instant now);
  void finish(Taking& taking, Claims& claims);
  std::int64_t place_in(const core::ProbeLook& look, core::Instant now);
  std::int64_t count(core::Instant now, const char* sql);

  sqlite3* db_;
  std::string destination_;
  core::OnDead on_dead_ = core::OnDead::unblocks;
  std::int64_t seen_version_ = -1;
  std::uint64_t takes_ = 0;
  Statement at_once_;
  Statement scheduled_;
  Statement earlier_in_key_;
  Statement dead_in_key_;
  Statement next_in_key_;
  Statement follower_;
  Statement in_search_;
  Statement suspects_;
  Statement unproven_death_;
  Statement has_waiting_;
  Statement next_due_;
  Statement data_version_;
};

}  // namespace outbox::storage

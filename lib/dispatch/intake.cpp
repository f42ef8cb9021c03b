#include "dispatch/intake.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_set>
#include <utility>

namespace outbox::dispatch {

namespace {

// Rows that someone made pending behind our back (explicit ids) are seen after this, at the latest.
constexpr std::chrono::minutes look_behind_after{1};
// So that looking costs about a percent of the time, whatever waits: measured, about 1 µs an event.
constexpr std::chrono::microseconds look_behind_after_each{100};
// So many different events ask in turn whether an endpoint that failed works again.
constexpr std::size_t probes_max = 1'000;

bool contains_any(const storage::IdSet& set, const core::Ids& ids) {
  return std::any_of(ids.begin(), ids.end(), [&](auto id) { return set.contains(id); });
}

core::Ids ids_of(const std::vector<core::PendingEvent>& events) {
  core::Ids ids;
  for (const core::PendingEvent& event : events) ids.push_back(event.id);
  return ids;
}

// Those that no other of `events` (in order) has to come before.
std::vector<core::PendingEvent> heads_of_keys(std::vector<core::PendingEvent> events) {
  std::unordered_set<std::string> keys;
  std::erase_if(events, [&](const core::PendingEvent& event) {
    return !event.ordering_key.empty() && !keys.insert(event.ordering_key).second;
  });
  return events;
}

// How far behind the head the `turn`-th probe with another event looks, from 0: 0, 1, 3, 7, …
// first, to get past many bad ones soon; then one after the other.
std::size_t distance_of(std::size_t turn) {
  constexpr std::size_t leaps = 10;
  return turn < leaps ? (std::size_t{1} << turn) - 1 : (turn - leaps) % probes_max;
}

core::Ids without(core::Ids ids, const core::Ids& gone) {
  std::erase_if(
      ids, [&](std::int64_t id) { return std::find(gone.begin(), gone.end(), id) != gone.end(); });
  return ids;
}

}  // namespace

// One call of `run`: what it has so far.
class Intake::Pass {
 public:
  Pass(storage::Store& store, const core::DestinationState& state, const DispatcherOptions& options,
       const UnderWay& under_way, core::Instant now)
      : store_{store}, state_{state}, options_{options}, under_way_{under_way}, now_{now} {
    const core::Stance& stance = state.stance;
    // One request at a time as long as it is not known that the endpoint works; a hold begins with
    // a cap of one event.
    is_careful_ = stance.events_cap || !stance.is_proven;
    limits_.events_max = options.batch_events;
    if (stance.events_cap) limits_.events_max = std::min(limits_.events_max, *stance.events_cap);
    if (!stance.is_proven) limits_.events_max = 1;
    limits_.bytes_max =
        std::min(options.batch_bytes, stance.bytes_cap.value_or(options.batch_bytes));
    left_out_ = under_way.events;
    for (const core::Search& search : state.searches) {
      const core::Ids all = search.doubt.all();
      left_out_.insert(all.begin(), all.end());
    }
  }

  bool has_room() const {
    const std::size_t requests_max = is_careful_ ? 1 : options_.connections;
    return under_way_.requests + result_.outgoing.size() < requests_max;
  }

  // A probe asks with the event that failed first, so that the order is kept; then in turn with
  // another one, since the endpoint may fail at that very event; and each time with one further on,
  // since it may fail at several.
  void take_another() {
    const auto& hold = state_.stance.hold;
    const bool is_wanted = hold && hold->tries > 0 && hold->tries % 2 == 0 && has_room() &&
                           (hold->kind == core::hold_kind::backing_off ||
                            hold->kind == core::hold_kind::refuses_everything);
    if (!is_wanted) return;
    const std::size_t turn = distance_of(static_cast<std::size_t>(hold->tries / 2 - 1));
    std::vector<core::PendingEvent> candidates =
        store_.take({.events_max = turn + 1, .bytes_max = options_.batch_bytes}, now_, left_out_);
    store_.take_again(ids_of(candidates));  // all but one of them stay
    candidates = heads_of_keys(std::move(candidates));
    if (candidates.size() > turn) {
      send({}, plan_of({std::move(candidates[turn])}));
    } else {
      take_another_part(turn - candidates.size(), std::move(candidates));
    }
  }

  void take_parts() {
    for (const core::Search& search : state_.searches) {
      if (!has_room()) return;
      const core::Ids all = search.doubt.all();
      // One part at a time; and an event of two searches (recorded twice) in one of them.
      if (contains_any(under_way_.events, all) || contains_any(taken_, all)) continue;
      take_part(search);
    }
  }

  bool take_suspect(storage::Evidence evidence, std::chrono::milliseconds wait_max) {
    if (!has_room()) return false;
    auto event = store_.take_suspect(
        {.accepted_batch = state_.accepted_batch, .evidence = evidence, .wait_max = wait_max}, now_,
        left_out_);
    if (!event) return false;
    left_out_.insert(event->id);
    const core::Suspicion suspicion = event->suspicion;
    core::Plan plan = plan_of({std::move(*event)});
    for (core::Batch& batch : plan.batches) {
      result_.outgoing.push_back({.batch = std::move(batch), .suspicion = suspicion});
    }
    return true;
  }

  void take_due() {
    if (!has_room()) return;
    const std::size_t batches_max =
        is_careful_ ? 1 : options_.connections - under_way_.requests - result_.outgoing.size();
    const storage::TakeLimits limits{.events_max = limits_.events_max * batches_max,
                                     .bytes_max = limits_.bytes_max * batches_max};
    std::vector<core::PendingEvent> events = store_.take(limits, now_, left_out_);
    std::size_t bytes = 0;
    for (const core::PendingEvent& event : events) bytes += event.payload.size();
    if (events.size() >= limits.events_max || bytes >= limits.bytes_max) result_.has_more = true;
    if (store_.has_more_to_look_at()) result_.has_more = true;
    core::Plan plan = core::plan(std::move(events), limits_, batches_max, on_dead());
    if (!plan.left_out.empty()) {
      store_.take_again(plan.left_out);
      result_.has_more = true;
    }
    send({}, std::move(plan));
  }

  bool is_empty() const { return result_.outgoing.empty() && under_way_.requests == 0; }
  Intaken result() { return std::move(result_); }

 private:
  // Counts on through what the searches would not send next, and begins again with `due`.
  void take_another_part(std::size_t turn, std::vector<core::PendingEvent> due) {
    std::vector<std::pair<std::int64_t, std::int64_t>> parts;  // search, event
    for (const core::Search& search : state_.searches) {
      const core::Ids all = search.doubt.all();
      for (std::size_t i = 1; i < all.size(); ++i) parts.emplace_back(search.batch, all[i]);
    }
    if (due.empty() && parts.empty()) return;
    turn %= due.size() + parts.size();
    if (turn < parts.size()) {
      send(parts[turn].first, plan_of(store_.take_these({parts[turn].second})));
    } else {
      send({}, plan_of({std::move(due[turn - parts.size()])}));
    }
  }

  void take_part(const core::Search& search) {
    core::Ids part = search.doubt.next();
    if (part.size() > limits_.events_max) part.resize(limits_.events_max);
    std::vector<core::PendingEvent> events = store_.take_these(part);
    core::Ids gone = without(part, ids_of(events));
    core::Plan plan = plan_of(std::move(events));
    for (const core::Death& death : plan.unsendable) gone.push_back(death.id);
    if (!gone.empty() || part.empty()) {
      core::Search changed = search;
      changed.doubt.accept(gone);
      result_.aside.searches.push_back(std::move(changed));
      result_.left_searches.insert(result_.left_searches.end(), gone.begin(), gone.end());
      result_.has_more = true;
    }
    send(search.batch, std::move(plan));
  }

  core::Plan plan_of(std::vector<core::PendingEvent> events) const {
    return core::plan(std::move(events), limits_, 1, on_dead());
  }

  core::OnDead on_dead() const {
    return options_.block_on_dead ? core::OnDead::blocks : core::OnDead::unblocks;
  }

  void send(std::optional<std::int64_t> search, core::Plan plan) {
    for (core::Batch& batch : plan.batches) {
      taken_.insert(batch.ids.begin(), batch.ids.end());
      result_.outgoing.push_back({.batch = std::move(batch), .search = search});
    }
    auto& dead = result_.aside.dead;
    std::move(plan.unsendable.begin(), plan.unsendable.end(), std::back_inserter(dead));
  }

  storage::Store& store_;
  const core::DestinationState& state_;
  const DispatcherOptions& options_;
  const UnderWay& under_way_;
  core::Instant now_;
  bool is_careful_ = false;
  core::BatchLimits limits_;
  storage::IdSet left_out_;
  storage::IdSet taken_;  // in this pass
  Intaken result_;
};

Intaken Intake::run(storage::Store& store, const core::DestinationState& state,
                    const UnderWay& under_way, core::Instant now) {
  const auto pause = std::max<std::chrono::microseconds>(
      look_behind_after, look_behind_after_each * store.passed_over());
  if (now < looked_behind_ || now - looked_behind_ > pause) {
    store.look_behind();
    looked_behind_ = now;
  }
  Pass pass{store, state, options_, under_way, now};
  pass.take_another();
  pass.take_parts();
  // A suspect goes alone: not in each round, so that a crowd of them holds nobody up.
  was_suspects_turn_ = !was_suspects_turn_ && !state.stance.hold &&
                       pass.take_suspect(storage::Evidence::after, options_.backoff_max);
  pass.take_due();
  if (pass.is_empty()) pass.take_suspect(storage::Evidence::around, options_.backoff_max);
  return pass.result();
}

}  // namespace outbox::dispatch

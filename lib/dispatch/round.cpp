#include "dispatch/round.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "core/judge.hpp"
#include "core/limits.hpp"
#include "core/names.hpp"
#include "dispatch/notices.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes look_for_expired_after{1};
constexpr std::size_t expired_events_max = 500;  // in one transaction

void require(bool is_met, const char* what) {
  if (!is_met) throw std::invalid_argument{std::string{"outbox: "} + what};
}

}  // namespace

void require_options(const DispatcherOptions& options) {
  core::require_destination_name(options.destination);
  require(options.batch_events >= 1 && options.batch_events <= core::request_events_max,
          "batch_events: must be 1 to 1,000");
  require(options.batch_bytes >= 1'000 && options.batch_bytes <= core::request_bytes_max,
          "batch_bytes: must be 1,000 to 2,000,000");
  require(options.connections >= 1 && options.connections <= 64, "connections: must be 1 to 64");
  require(options.backoff_min >= milliseconds{1}, "backoff_min: must be at least 1 ms");
  require(
      options.backoff_max >= options.backoff_min && options.backoff_max <= std::chrono::hours{24},
      "backoff_max: must be backoff_min to 24 h");
  require(options.lonely_failures_max >= 1, "lonely_failures_max: must be at least 1");
  require(options.keep_delivered >= milliseconds{0}, "keep_delivered: must not be negative");
  require(options.give_up_after >= milliseconds{0}, "give_up_after: must not be negative");
  for (const StatusMeaning& meaning : options.meanings) {
    require(meaning.status >= 100 && meaning.status <= 599, "meanings: a status is 100 to 599");
  }
}

storage::Service service_of(const Sink& sink, const DispatcherOptions& options,
                            const std::string& identity) {
  return {.endpoint = sink.name(),
          .identity = identity,
          .foreign = options.pauses_foreign_database ? storage::Foreign::is_paused
                                                     : storage::Foreign::is_served,
          .on_dead = options.block_on_dead ? core::OnDead::blocks : core::OnDead::unblocks,
          .scrubs = options.scrub_delivered};
}

Round::Round(Sink& sink, const core::Clock& clock, const DispatcherOptions& options,
             std::uint64_t seed)
    : sink_{sink},
      clock_{clock},
      options_{options},
      policy_{.backoff = {.min = options.backoff_min, .max = options.backoff_max},
              .batch_events = options.batch_events,
              .lonely_failures_max = options.lonely_failures_max},
      random_{seed} {
  require_options(options);
}

Round::~Round() {
  abort();
}

RoundReport Round::run(storage::Store& store, milliseconds wait_max) {
  const RoundTotals before = totals_;
  recording_ = {};
  record(store);  // of an earlier round, before anything new is sent
  read_at_ = clock_.now();
  storage::ReadTransaction moment = store.read();
  const core::DestinationState state = store.destination();
  follow_nudges(store, state);
  RoundReport report{.is_paused = state.is_paused};

  std::vector<core::Death> expired;
  if (!state.is_paused) expired = take_expired(store);
  Intaken taken;
  if (may_send(state)) taken = take(store, state, expired);
  moment.end();
  report.has_more = taken.has_more;
  std::move(expired.begin(), expired.end(), std::back_inserter(taken.aside.dead));
  deliver(store, std::move(taken.outgoing));
  std::vector<core::Attempt> attempts = collect(wait_max);
  take_again(store, attempts, taken.left_searches);
  core::Settlement settlement = core::settle(state, std::move(attempts), std::move(taken.aside),
                                             policy_, clock_.now(), chance());
  report.hold = settlement.stance.hold;
  report.failure = settlement.failure;
  unrecorded_ = std::move(settlement);
  record(store);
  report.delivered = totals_.delivered - before.delivered;
  report.dead = totals_.dead - before.dead;
  report.requests = totals_.requests - before.requests;
  report.recording = recording_;
  return report;
}

void Round::wait(milliseconds time_max) {
  for (Sink::Reply& reply : sink_.collect(time_max)) arrived_.push_back(std::move(reply));
}

storage::IdSet Round::ids_in_flight() const {
  storage::IdSet ids;
  for (const auto& [token, request] : in_flight_) {
    ids.insert(request.ids.begin(), request.ids.end());
  }
  return ids;
}

std::optional<core::Instant> Round::in_flight_since() const {
  std::optional<core::Instant> oldest;
  for (const auto& [token, request] : in_flight_) {
    oldest = std::min(oldest.value_or(request.read_at), request.read_at);
  }
  return oldest;
}

void Round::abort() {
  sink_.abort();
  arrived_.clear();
  in_flight_.clear();
}

void Round::forget() {
  abort();
  unrecorded_ = {};
}

bool Round::may_send(const core::DestinationState& state) {
  if (!is_sending_ || state.is_paused) return false;
  if (!state.stance.hold) return in_flight_.size() < options_.connections;
  if (!in_flight_.empty()) return false;
  const bool is_renewed =
      state.stance.hold->kind == core::hold_kind::unauthorized && sink_.has_new_credential();
  return probes_now_ || is_renewed || !core::is_waiting(state.stance.hold, clock_.now());
}

std::vector<core::Death> Round::take_expired(storage::Store& store) {
  std::vector<core::Death> deaths;
  const core::Instant now = clock_.now();
  const bool is_time =
      now < looked_for_expired_ || now - looked_for_expired_ >= look_for_expired_after;
  if (options_.give_up_after == milliseconds{0} || !is_time) return deaths;
  for (const std::int64_t id :
       store.expired(now - options_.give_up_after, expired_events_max, ids_in_flight())) {
    deaths.push_back({id, "expired: not delivered within the time set by give_up_after"});
  }
  if (deaths.size() < expired_events_max) looked_for_expired_ = now;
  return deaths;
}

Intaken Round::take(storage::Store& store, const core::DestinationState& state,
                    const std::vector<core::Death>& expired) {
  probes_now_ = false;
  UnderWay under_way{.requests = in_flight_.size(), .events = ids_in_flight()};
  for (const core::Death& death : expired) under_way.events.insert(death.id);
  try {
    return intake_.run(store, state, under_way, clock_.now());
  } catch (...) {  // busy half-way: what it had read would be passed over
    store.begin_anew();
    throw;
  }
}

// What was not delivered is pending again, and what has left a search is one of many.
void Round::take_again(storage::Store& store, const std::vector<core::Attempt>& attempts,
                       const core::Ids& left_searches) {
  for (const core::Attempt& attempt : attempts) {
    const bool is_delivered =
        attempt.outcome.verdict == Verdict::delivered && attempt.outcome.events.empty();
    if (!is_delivered) store.take_again(attempt.ids);
  }
  store.take_again(left_searches);
}

void Round::deliver(storage::Store& store, std::vector<Outgoing> outgoing) {
  if (outgoing.empty()) return;
  try {
    // Taking and planning take their time; a person may have paused the destination meanwhile.
    if (store.is_paused()) return store.begin_anew();
    for (Outgoing& request : outgoing) submit(std::move(request));
  } catch (...) {  // what was taken would be passed over
    store.begin_anew();
    throw;
  }
}

void Round::submit(Outgoing outgoing) {
  const std::uint64_t token = next_token_++;
  in_flight_[token] = {.ids = std::move(outgoing.batch.ids),
                       .bytes = outgoing.batch.body.size(),
                       .started = clock_.now(),
                       .read_at = read_at_,
                       .search = outgoing.search,
                       .suspicion = outgoing.suspicion};
  try {
    sink_.submit(token, std::move(outgoing.batch.body));
  } catch (...) {  // no memory: nobody will answer this token
    in_flight_.erase(token);
    throw;
  }
}

std::vector<core::Attempt> Round::collect(milliseconds wait_max) {
  std::vector<core::Attempt> attempts;
  if (in_flight_.empty()) return attempts;
  if (arrived_.empty()) wait(wait_max);
  judge(std::exchange(arrived_, {}), attempts);
  // What has arrived meanwhile shares the write transaction. Nothing is waited for: the connections
  // that have answered would idle.
  if (!attempts.empty() && !in_flight_.empty()) judge(sink_.collect(milliseconds{0}), attempts);
  return attempts;
}

void Round::judge(const std::vector<Sink::Reply>& replies, std::vector<core::Attempt>& attempts) {
  for (const Sink::Reply& reply : replies) {
    auto sent = in_flight_.extract(reply.token);
    if (sent.empty()) continue;
    attempts.push_back({.was_made = reply.answer.arrival != core::Arrival::no_credential,
                        .ids = std::move(sent.mapped().ids),
                        .bytes = sent.mapped().bytes,
                        .started = sent.mapped().started,
                        .took = reply.answer.took,
                        .status = reply.answer.status,
                        .outcome = core::judge(reply.answer, clock_.now(), options_.meanings),
                        .search = sent.mapped().search,
                        .suspicion = sent.mapped().suspicion});
  }
}

void Round::record(storage::Store& store) {
  if (unrecorded_.is_empty()) return;
  recording_ += store.record(unrecorded_, clock_.now());
  totals_.delivered += unrecorded_.delivered.size();
  totals_.dead += unrecorded_.dead.size();
  totals_.requests += unrecorded_.attempts.size();
  const core::Settlement recorded = std::exchange(unrecorded_, {});
  tell_of(options_.observer, options_.destination, recorded);
}

void Round::follow_nudges(storage::Store& store, const core::DestinationState& state) {
  const bool is_first_look = nudges_ < 0;
  if (!is_first_look && state.nudges != nudges_) {
    probes_now_ = true;
    store.look_behind();
  }
  nudges_ = state.nudges;
  if (std::exchange(looks_, state.looks) != state.looks) store.look_behind();
  // A new process is how a new token is often brought in.
  const auto& hold = state.stance.hold;
  if (is_first_look && hold && hold->kind == core::hold_kind::unauthorized) probes_now_ = true;
}

}  // namespace outbox::dispatch

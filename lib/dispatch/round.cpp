#include "dispatch/round.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/judge.hpp"
#include "core/limits.hpp"
#include "core/names.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;

// After the first answer, others that are about to arrive share its write transaction.
constexpr milliseconds gather_max{250};
// Rows that someone made pending behind our back (explicit ids) are seen after this, at the latest.
constexpr std::chrono::minutes look_everywhere_after{1};

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
}

Round::Round(Sink& sink, const core::Clock& clock, const DispatcherOptions& options,
             std::uint64_t seed)
    : sink_{sink},
      clock_{clock},
      options_{options},
      backoff_{.min = options.backoff_min, .max = options.backoff_max},
      random_{seed} {}

Round::~Round() {
  abort();
}

RoundReport Round::run(storage::Store& store, milliseconds wait_max) {
  const RoundTotals before = totals_;
  record(store);  // of an earlier round, before anything new is sent
  const core::DestinationState state = store.destination();
  follow_nudges(store, state);
  RoundReport report{.is_paused = state.is_paused};

  core::Plan plan;
  if (may_send(state)) plan = take_and_plan(store, state.hold.has_value(), report);
  deliver(store, std::move(plan.batches));
  std::vector<core::Attempt> attempts = collect(wait_max);
  for (const core::Attempt& attempt : attempts) {
    if (attempt.outcome.verdict != core::Verdict::delivered)
      report.failure = attempt.outcome.verdict;
  }

  core::Settlement settlement =
      core::settle(state.hold, std::move(attempts), std::move(plan.unsendable), backoff_,
                   clock_.now(), chance());
  report.hold = settlement.hold;
  core::append(unrecorded_, std::move(settlement));
  record(store);
  if (report.failure) store.look_again_from(0);  // what failed is pending again
  report.delivered = totals_.delivered - before.delivered;
  report.dead = totals_.dead - before.dead;
  report.requests = totals_.requests - before.requests;
  return report;
}

void Round::wait(milliseconds time_max) {
  for (Sink::Reply& reply : sink_.collect(time_max)) arrived_.push_back(std::move(reply));
}

void Round::abort() {
  sink_.abort();
  arrived_.clear();
  in_flight_.clear();
  ids_in_flight_.clear();
}

bool Round::may_send(const core::DestinationState& state) const {
  if (!is_sending_ || state.is_paused) return false;
  if (!state.hold) return in_flight_.size() < options_.connections;
  const bool waits = core::is_waiting(state.hold, backoff_, clock_.now()) && !probes_now_;
  return !waits && in_flight_.empty();
}

core::Plan Round::take_and_plan(storage::Store& store, bool is_probe, RoundReport& report) {
  // After a failure one single event asks whether the endpoint is back.
  const std::size_t batches_max = is_probe ? 1 : options_.connections - in_flight_.size();
  const core::BatchLimits batch{.events_max = is_probe ? 1 : options_.batch_events,
                                .bytes_max = options_.batch_bytes};
  const storage::TakeLimits limits{.events_max = batch.events_max * batches_max,
                                   .bytes_max = batch.bytes_max * batches_max};
  const core::Instant now = clock_.now();
  if (now < looked_everywhere_ || now - looked_everywhere_ > look_everywhere_after) {
    store.look_again_from(0);
    looked_everywhere_ = now;
  }
  probes_now_ = false;

  std::vector<core::PendingEvent> events;
  try {
    events = store.take(limits, now, ids_in_flight_);
  } catch (...) {  // busy half-way: what it had read would be passed over
    store.look_again_from(0);
    throw;
  }
  std::size_t bytes = 0;
  for (const core::PendingEvent& event : events) bytes += event.payload.size();
  report.has_more = events.size() >= limits.events_max || bytes >= limits.bytes_max;
  core::Plan plan = core::plan(std::move(events), batch, batches_max);
  if (plan.first_left_out) {
    store.look_again_from(*plan.first_left_out);
    report.has_more = true;
  }
  return plan;
}

void Round::deliver(storage::Store& store, std::vector<core::Batch> batches) {
  if (batches.empty()) return;
  // Taking and planning take their time; a person may have paused the destination meanwhile.
  if (store.destination().is_paused) {
    store.look_again_from(0);
    return;
  }
  for (core::Batch& batch : batches) submit(std::move(batch));
}

void Round::submit(core::Batch batch) {
  const std::uint64_t token = next_token_++;
  const std::vector<std::int64_t> ids = batch.ids;
  ids_in_flight_.insert(ids.begin(), ids.end());
  in_flight_[token] = {
      .ids = std::move(batch.ids), .bytes = batch.body.size(), .started = clock_.now()};
  try {
    sink_.submit(token, std::move(batch.body));
  } catch (...) {  // no memory: nobody will answer this token
    in_flight_.erase(token);
    for (const std::int64_t id : ids) ids_in_flight_.erase(id);
    throw;
  }
}

std::vector<core::Attempt> Round::collect(milliseconds wait_max) {
  std::vector<core::Attempt> attempts;
  if (in_flight_.empty()) return attempts;
  if (arrived_.empty()) wait(wait_max);
  judge(std::exchange(arrived_, {}), attempts);
  const auto gather_until = std::chrono::steady_clock::now() + gather_max;
  while (!attempts.empty() && !in_flight_.empty()) {
    const auto left =
        std::chrono::ceil<milliseconds>(gather_until - std::chrono::steady_clock::now());
    const std::size_t before = attempts.size();
    judge(sink_.collect(std::clamp(left, milliseconds{0}, gather_max)), attempts);
    if (attempts.size() == before) break;  // woken, or time is up: the rest stays in flight
  }
  return attempts;
}

void Round::judge(const std::vector<Sink::Reply>& replies, std::vector<core::Attempt>& attempts) {
  for (const Sink::Reply& reply : replies) {
    auto sent = in_flight_.extract(reply.token);
    if (sent.empty()) continue;
    for (const std::int64_t id : sent.mapped().ids) ids_in_flight_.erase(id);
    attempts.push_back({.was_made = reply.answer.arrival != core::Arrival::no_credential,
                        .ids = std::move(sent.mapped().ids),
                        .bytes = sent.mapped().bytes,
                        .started = sent.mapped().started,
                        .took = reply.answer.took,
                        .status = reply.answer.status,
                        .outcome = core::judge(reply.answer)});
  }
}

void Round::record(storage::Store& store) {
  if (unrecorded_.is_empty()) return;
  store.record(unrecorded_, clock_.now());
  totals_.delivered += unrecorded_.delivered.size();
  totals_.dead += unrecorded_.dead.size();
  totals_.requests += unrecorded_.attempts.size();
  unrecorded_ = {};
}

void Round::follow_nudges(storage::Store& store, const core::DestinationState& state) {
  if (nudges_ >= 0 && state.nudges != nudges_) {
    probes_now_ = true;
    store.look_again_from(0);
  }
  nudges_ = state.nudges;
}

}  // namespace outbox::dispatch

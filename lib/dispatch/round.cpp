#include "dispatch/round.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "core/decide/outcomes.hpp"
#include "core/event/limits.hpp"
#include "dispatch/notices.hpp"
#include "dispatch/options.hpp"

namespace outbox::dispatch {

using std::chrono::milliseconds;

namespace {

core::BatchLimits limits_of(const BatchRules& of_sink, const DispatcherOptions& options) {
  return {
      .events_max = std::max<std::size_t>(std::min(of_sink.events_max, options.batch_events), 1),
      .bytes_max =
          std::max(std::min(of_sink.bytes_max, options.batch_bytes), core::request_bytes_min)};
}

// A suspect's place in the queue holds its next try: how late it is counts from its beginning.
std::vector<core::Instant> due_since(std::span<const core::QueuedEvent> events) {
  std::vector<core::Instant> instants;
  instants.reserve(events.size());
  for (const core::QueuedEvent& event : events) {
    const bool is_suspect = event.state == core::QueueState::suspect;
    const std::int64_t due_at_ms = is_suspect ? 0 : event.due_at_ms;
    instants.push_back(core::instant_of(std::max(event.enqueued_at_ms, due_at_ms)));
  }
  return instants;
}

std::vector<BatchEvent> with_headers(const Batch& batch) {
  std::vector<BatchEvent> events;
  const auto has_headers = [](const BatchEvent& event) { return !event.headers.empty(); };
  std::copy_if(batch.events.begin(), batch.events.end(), std::back_inserter(events), has_headers);
  return events;
}

}  // namespace

Round::Round(Sink& sink, const DispatcherOptions& options, std::uint64_t seed)
    : sink_{sink},
      clock_{options.clock},
      options_{options},
      sink_rules_{sink.batch_rules()},
      limits_{limits_of(sink_rules_, options)},
      policy_{.backoff = {.min = options.backoff_min, .max = options.backoff_max},
              .batch_events = limits_.events_max,
              .solo_failures_max = options.solo_failures_max,
              .buries_cornered = options.buries_cornered},
      rate_{options.requests_per_second_max},
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
  const core::DestinationState state = store.destination.read();
  if (!state.has_row) claims_.look_from(1);  // what was restored may stand before
  follow_people(state);
  Gathered gathered;
  if (state.has_row && !state.is_paused) gather_expired(store, gathered);
  if (const core::Intent intent = this->intend(state); intent.may_send()) {
    const bool was_asked = std::exchange(probes_now_, false);
    gather(store, state, intent, gathered);
    if (gathered.outgoing.empty() && gathered.has_more) probes_now_ = was_asked;  // not yet
  }
  moment.end();

  send(store, std::move(gathered.outgoing));
  std::vector<Ended> ended = std::move(gathered.dead);
  std::vector<core::SentBatch> sent = collect(wait_max, ended);
  core::Settlement settlement = core::settle(state, std::move(sent), std::move(gathered.aside),
                                             policy_, clock_.now(), chance());
  RoundReport report{.has_more = gathered.has_more,
                     .has_row = state.has_row,
                     .is_paused = state.is_paused,
                     .resume_at = rate_.next(),
                     .hold = settlement.endpoint.hold,
                     .failure = settlement.failure};
  unrecorded_ = {.changes = {std::move(settlement), std::move(gathered.waiting)},
                 .ended = std::move(ended)};
  record(store);
  report.delivered = totals_.delivered - before.delivered;
  report.dead = totals_.dead - before.dead;
  report.requests = totals_.requests - before.requests;
  report.recording = recording_;
  return report;
}

void Round::wait(milliseconds time_max) try {
  for (Sink::Reply& reply : sink_.collect(time_max)) arrived_.push_back(std::move(reply));
} catch (...) {
  abort();
  throw;
}

std::optional<core::Instant> Round::in_flight_since() const {
  std::optional<core::Instant> oldest;
  const auto add = [&](core::Instant read_at) {
    oldest = std::min(oldest.value_or(read_at), read_at);
  };
  for (const auto& [token, request] : in_flight_) add(request.read_at);
  for (const Ended& ended : unrecorded_.ended) {
    if (ended.read_at) add(*ended.read_at);
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

void Round::send(storage::Store& store, std::vector<Outgoing> outgoing) {
  // Taking and planning take their time; a person may have paused the destination meanwhile.
  if (outgoing.empty() || store.destination.is_paused()) return;
  for (Outgoing& request : outgoing) submit(std::move(request));
}

void Round::submit(Outgoing outgoing) {
  rate_.start();
  static std::atomic<std::uint64_t> next_token{1};  // a late answer is no other round's
  const std::uint64_t token = next_token++;
  outgoing.batch.destination = options_.destination;
  core::SentBatch sent{.ids = core::ids_of(outgoing.batch),
                       .due_since = due_since(outgoing.taken.events()),
                       .bytes = outgoing.batch.body.size(),
                       .started = clock_.now(),
                       .search = outgoing.search,
                       .suspicion = outgoing.suspicion};
  if (options_.observer) sent.traced = with_headers(outgoing.batch);
  in_flight_.emplace(token, InFlight{std::move(sent), std::move(outgoing.taken), read_at_});
  try {
    sink_.submit(token, std::move(outgoing.batch));
  } catch (...) {  // no memory: nobody will answer this token, and perhaps no other one
    abort();
    throw;
  }
}

// An answer that was lost on the way, for want of memory, is not given again: after any exception
// all that is under way is as good as lost.
std::vector<core::SentBatch> Round::collect(milliseconds wait_max, std::vector<Ended>& ended) try {
  std::vector<core::SentBatch> sent;
  if (in_flight_.empty()) return sent;
  if (arrived_.empty()) wait(wait_max);
  take_in(std::exchange(arrived_, {}), sent, ended);
  // What has arrived meanwhile shares the write transaction. Nothing is waited for: the connections
  // that have answered would idle.
  if (!sent.empty() && !in_flight_.empty()) take_in(sink_.collect(milliseconds{0}), sent, ended);
  return sent;
} catch (...) {
  abort();
  throw;
}

void Round::take_in(std::vector<Sink::Reply> replies, std::vector<core::SentBatch>& sent,
                    std::vector<Ended>& ended) {
  for (Sink::Reply& reply : replies) {
    auto request = in_flight_.extract(reply.token);
    if (request.empty()) continue;
    core::SentBatch batch = std::move(request.mapped().sent);
    batch.outcome = core::fit_to_keep(std::move(reply.outcome));
    const bool has_left =
        batch.outcome.verdict == Verdict::delivered && batch.outcome.events.empty();
    ended.push_back({.taken = std::move(request.mapped().taken),
                     .has_left = has_left,
                     .read_at = request.mapped().read_at});
    sent.push_back(std::move(batch));
  }
}

void Round::count(const core::SentBatch& sent, core::Instant now) {
  totals_.request_duration.add(sent.outcome.took);
  std::size_t i = 0;
  for (const std::int64_t id : sent.delivered) {
    while (sent.ids[i] != id) ++i;
    totals_.delivery_lag.add(std::max(now - sent.due_since[i], milliseconds{0}));
  }
}

void Round::record(storage::Store& store) {
  const storage::Recorded done = store.ledger.record(unrecorded_.changes, claims_, clock_.now());
  core::Settlement& settlement = unrecorded_.changes.settlement;
  const auto is_left_alone = [&](const auto& event) {
    return std::find(done.left_alone.begin(), done.left_alone.end(), event.id) !=
           done.left_alone.end();
  };
  std::erase_if(settlement.dead, is_left_alone);
  std::erase_if(settlement.suspects, is_left_alone);
  recording_ += done.locked;
  totals_.delivered += done.delivered;
  totals_.dead += settlement.dead.size();
  totals_.requests += settlement.requests.size();
  const core::Instant now = clock_.now();
  for (const core::SentBatch& sent : settlement.requests) count(sent, now);
  Unrecorded recorded = std::exchange(unrecorded_, {});
  for (Ended& ended : recorded.ended) {
    if (ended.has_left) ended.taken.settle();
  }
  tell_of(options_.observer, options_.destination, recorded.changes.settlement);
}

}  // namespace outbox::dispatch

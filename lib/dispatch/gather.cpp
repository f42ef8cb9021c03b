// What a round takes from the queue, and which requests that becomes.

#include <algorithm>
#include <iterator>
#include <utility>

#include "dispatch/round.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes look_for_expired_after{1};
constexpr std::size_t expired_events_max = 500;  // in one transaction

}  // namespace

// A person who asks, and a process that begins: that is how a new token is often brought in.
void Round::follow_people(const core::DestinationState& state) {
  const bool is_first_look = probes_asked_ < 0;
  const auto& hold = state.endpoint.hold;
  if (is_first_look && hold && hold->kind == HoldKind::unauthorized) probes_now_ = true;
  if (!is_first_look && state.probes_asked != probes_asked_) probes_now_ = true;
  probes_asked_ = state.probes_asked;
}

core::Intent Round::intend(const core::DestinationState& state) {
  if (!is_sending_ || !state.has_row) return {};
  const auto& hold = state.endpoint.hold;
  const bool is_renewed =
      hold && hold->kind == HoldKind::unauthorized && sink_.has_new_credential();
  core::Intent intent =
      core::intend(state, limits_, options_.connections, in_flight_.size(),
                   {.is_asked = probes_now_, .credential_is_renewed = is_renewed}, clock_.now());
  intent.requests_max = std::min(intent.requests_max, rate_.may_start(clock_.now()));
  return intent;
}

void Round::gather_expired(storage::Store& store, Gathered& gathered) {
  const core::Instant now = clock_.now();
  const bool is_time =
      now < looked_for_expired_ || now - looked_for_expired_ >= look_for_expired_after;
  if (!options_.give_up_after || !is_time) return;
  std::vector<core::QueuedEvent> expired =
      store.queue.expired(now - *options_.give_up_after, now, expired_events_max, claims_);
  if (expired.size() < expired_events_max) looked_for_expired_ = now;
  for (const core::QueuedEvent& event : expired) {
    gathered.aside.dead.push_back(
        {event.id, "expired: not delivered within the time set by give_up_after"});
  }
  gathered.dead.push_back({.taken = {claims_, std::move(expired)}, .has_left = true});
}

// What goes next: one event that asks whether the endpoint works, parts of searches, a suspect now
// and then, and what is due.
void Round::gather(storage::Store& store, const core::DestinationState& state,
                   const core::Intent& intent, Gathered& gathered) {
  if (!gather_probe(store, state, intent, gathered)) return;
  gather_parts(store, state, intent, gathered);
  // A suspect goes alone: not in each round, so that a crowd of them holds nobody up.
  was_suspects_turn_ = !was_suspects_turn_ && !state.endpoint.hold &&
                       gathered.outgoing.size() < intent.requests_max &&
                       gather_suspect(store, state, {}, gathered);
  gather_due(store, intent, gathered);
  if (gathered.outgoing.empty() && in_flight_.empty()) {
    gather_suspect(store, state, {.counts_earlier_evidence = true}, gathered);
  }
}

// False: it has only met events that wait for their key, 2,000 of them, and goes on when those are
// moved away.
bool Round::gather_probe(storage::Store& store, const core::DestinationState& state,
                         const core::Intent& intent, Gathered& gathered) {
  for (const core::ProbeLook& look : intent.probe) {
    if (look.source == core::ProbeSource::suspects) {
      if (gather_suspect(store, state, {.place = look.place}, gathered)) return true;
      continue;
    }
    storage::ProbeTake probe = store.queue.take_probe(look, clock_.now(), claims_);
    const bool is_found = !probe.take.events.empty();
    auto& waiting = probe.take.waiting;
    const bool has_more = probe.take.has_more && !waiting.empty();
    std::move(waiting.begin(), waiting.end(), std::back_inserter(gathered.waiting));
    add(core::plan(probe.take.events, intent.limits, 1, plan_rules()), std::move(probe.take.taken),
        probe.search, {}, gathered);
    if (is_found) return true;
    if (has_more) {
      gathered.has_more = true;
      return false;
    }
  }
  return true;
}

void Round::gather_parts(storage::Store& store, const core::DestinationState& state,
                         const core::Intent& intent, Gathered& gathered) {
  for (const core::OpenSearch& search : state.searches) {
    if (gathered.outgoing.size() >= intent.requests_max) return;
    const core::Ids all = search.search.all();
    const bool is_under_way =  // one part at a time
        std::any_of(all.begin(), all.end(), [&](auto id) { return claims_.contains(id); });
    if (!is_under_way) gather_part(store, search, intent, gathered);
  }
}

void Round::gather_part(storage::Store& store, const core::OpenSearch& search,
                        const core::Intent& intent, Gathered& gathered) {
  core::Ids part = search.search.next();
  if (part.size() > intent.limits.events_max) part.resize(intent.limits.events_max);
  storage::Take take = store.queue.take_searched(part, claims_);
  core::Ids gone = part;
  std::erase_if(gone, [&](std::int64_t id) { return claims_.contains(id); });
  const core::Ids left = gone;
  core::Plan plan = core::plan(take.events, intent.limits, 1, plan_rules());
  for (const core::Death& death : plan.unsendable) gone.push_back(death.id);
  if (!gone.empty() || part.empty()) {
    core::OpenSearch changed = search;
    changed.left = left;  // an earlier event of their key may hold them
    changed.search.accept(gone);
    gathered.aside.searches.push_back(std::move(changed));
    gathered.has_more = true;
  }
  add(std::move(plan), std::move(take.taken), search.request, {}, gathered);
}

core::PlanRules Round::plan_rules() const {
  return {.on_dead = options_.blocks_on_dead ? core::OnDead::blocks : core::OnDead::unblocks,
          .mixes_kinds = sink_rules_.mixes_kinds,
          .takes_any_object = sink_rules_.takes_any_object};
}

bool Round::gather_suspect(storage::Store& store, const core::DestinationState& state,
                           storage::SuspectLimits limits, Gathered& gathered) {
  limits.accepted_request = state.accepted_request;
  limits.wait_max = options_.backoff_max;
  auto suspect = store.queue.take_suspect(limits, clock_.now(), claims_);
  if (!suspect) return false;
  add(core::plan(suspect->take.events, {.bytes_max = limits_.bytes_max}, 1, plan_rules()),
      std::move(suspect->take.taken), std::nullopt, suspect->suspicion, gathered);
  return true;
}

void Round::gather_due(storage::Store& store, const core::Intent& intent, Gathered& gathered) {
  if (gathered.outgoing.size() >= intent.requests_max) return;
  const std::size_t batches_max = intent.requests_max - gathered.outgoing.size();
  storage::Take take = store.queue.take({.events_max = intent.limits.events_max * batches_max,
                                         .bytes_max = intent.limits.bytes_max * batches_max},
                                        clock_.now(), claims_);
  core::Plan plan = core::plan(take.events, intent.limits, batches_max, plan_rules());
  gathered.has_more =
      gathered.has_more || take.has_more || !take.waiting.empty() || !plan.left_out.empty();
  std::move(take.waiting.begin(), take.waiting.end(), std::back_inserter(gathered.waiting));
  add(std::move(plan), std::move(take.taken), std::nullopt, {}, gathered);
}

// What is left of `taken` goes back to the queue here: it is in no batch.
void Round::add(core::Plan plan, storage::Taken taken, std::optional<std::int64_t> search,
                const core::Suspicion& suspicion, Gathered& gathered) const {
  for (Batch& batch : plan.batches) {
    storage::Taken part = taken.split(core::ids_of(batch));
    gathered.outgoing.push_back({.batch = std::move(batch),
                                 .taken = std::move(part),
                                 .search = search,
                                 .suspicion = suspicion});
  }
  core::Ids dead;
  for (const core::Death& death : plan.unsendable) dead.push_back(death.id);
  if (!dead.empty()) gathered.dead.push_back({.taken = taken.split(dead), .has_left = true});
  auto& deaths = gathered.aside.dead;
  std::move(plan.unsendable.begin(), plan.unsendable.end(), std::back_inserter(deaths));
}

}  // namespace outbox::dispatch

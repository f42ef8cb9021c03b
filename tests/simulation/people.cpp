// What people do to the queue meanwhile.

#include <algorithm>
#include <utility>

#include "simulation/world.hpp"

namespace simulation {

using namespace std::chrono_literals;

void World::pause_or_resume(std::size_t destination) {
  bool& is_paused = model_.destinations[destination].is_paused;
  model_.tell(is_paused ? "resume" : "pause", name_of(destination));
  if (is_paused) {
    outbox::resume(app_.db(), name_of(destination));
  } else {
    outbox::pause(app_.db(), name_of(destination), {.reason = "simulated"});
  }
  is_paused = !is_paused;
}

void World::discard() {
  discard(random_events("state in ('pending', 'dead')"));
}

void World::discard(const std::vector<std::int64_t>& ids) {
  if (ids.empty()) return;
  const std::int64_t discarded =
      outbox::discard(app_.db(), outbox::Selection::ids(ids), {"simulation", "why not"});
  require(discarded == static_cast<std::int64_t>(ids.size()),
          "a pending or dead event was not discarded", ids.front());
  for (const std::int64_t id : ids) {
    model_.tell("discard", id);
    Event& event = model_.events.at(id);
    event.is_discarded = true;
    event.is_dead = false;
  }
}

void World::retry() {
  const std::vector<std::int64_t> ids =
      random_events("state in ('dead', 'discarded') or waits_as = 'suspect'");
  if (ids.empty()) return;
  require(outbox::retry(app_.db(), outbox::Selection::ids(ids)) ==
              static_cast<std::int64_t>(ids.size()),
          "an event that waits was not retried", ids.front());
  for (const std::int64_t id : ids) note_retry(id);
}

// By the simulated clock, as the library does it by the system's.
void World::begin_patience(Event& event) {
  event.asked_at_ms = outbox::core::unix_ms(clock_.now());
  app_.db().exec("update outbox_queue set enqueued_at_ms = " + std::to_string(event.asked_at_ms) +
                 " where event = " + std::to_string(event.id));
}

void World::note_retry(std::int64_t id) {
  model_.tell("retry", id);
  Event& event = model_.events.at(id);
  begin_patience(event);
  event.is_discarded = false;
  event.is_dead = false;
  event.due_at_ms = 0;
  // What it is or was answered still counts.
  if (service_of(event).may_concern(id)) return;
  event.lone_refusals.clear();
  event.lone_failures.clear();
  event.first_doubt = 0;
}

void World::requeue() {
  const std::int64_t id = random_event("state = 'delivered'");
  if (id == 0) return;
  Event& event = model_.events.at(id);
  const bool is_possible = !event.is_unqueued && !model_.destinations[event.destination].scrubs;
  require(outbox::requeue(app_.db(), outbox::Selection::ids({id})) == (is_possible ? 1 : 0),
          "the wrong event was requeued", id);
  if (!is_possible) return;
  model_.tell("requeue", id);
  begin_patience(event);
  event.is_requeued = true;
  event.is_delivered = false;
  event.due_at_ms = 0;
  event.duplicates_due = std::max(event.duplicates_due, event.accepted);
  if (service_of(event).may_concern(id)) return;
  event.lone_refusals.clear();
  event.lone_failures.clear();
  event.first_doubt = 0;
}

// All that is still to be delivered, of a destination that has no dispatcher.
void World::move_events() {
  const std::size_t from = any_destination();
  const std::size_t to = 1 - from;
  Destination& left = model_.destinations[from];
  services_[from]->crash();
  model_.tell("move from", left.name);
  const outbox::MoveReport report = outbox::move_events(app_.db(), left.name, name_of(to));
  std::int64_t moved = 0;
  std::int64_t duplicates = 0;
  for (auto& [id, event] : model_.events) {
    const bool is_to_deliver = event.destination == from && !event.is_removed &&
                               !event.is_discarded && !event.is_delivered && !event.is_unqueued;
    if (!is_to_deliver) continue;
    if (!event.dedupe_key.empty() && has_dedupe_key(to, event.dedupe_key)) {
      ++duplicates;
      continue;
    }
    ++moved;
    event.destination = to;
    event.due_at_ms =
        app_.number("select due_at_ms from outbox_queue where event = " + std::to_string(id));
    event.lone_refusals.clear();
    event.lone_failures.clear();
    event.first_doubt = 0;
  }
  require(report.events == moved && report.duplicates == duplicates, "the wrong events were moved");
  if (!report.is_removed) return;
  model_.tell("  nothing is left there");
  model_.destinations[to].removed += std::exchange(left.removed, 0);
  left.is_paused = false;
}

void World::erase() {
  const std::int64_t id = random_event("1");
  if (id == 0) return;
  Event& event = model_.events.at(id);
  if (event.is_rubbish || event.is_unqueued) return;  // the one names nobody
  const bool is_scrubbed = event.is_delivered && model_.destinations[event.destination].scrubs;
  const std::int64_t expected = is_scrubbed ? 0 : 1;
  const auto report = outbox::erase(app_.path(), outbox::Subject::user(user_in(event.payload)), {},
                                    outbox::Mode::apply, 0ms);
  require(report.events == expected, "an event was not erased", id);
  if (is_scrubbed) return;
  model_.tell("erase", id);
  event.is_removed = true;
  ++model_.destinations[event.destination].removed;
}

}  // namespace simulation

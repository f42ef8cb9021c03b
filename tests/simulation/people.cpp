// What people do to the queue meanwhile.

#include <algorithm>

#include "simulation/world.hpp"

namespace simulation {

using namespace std::chrono_literals;

void World::pause_or_resume() {
  if (model_.is_paused) {
    outbox::resume(app_.db(), "track");
  } else {
    outbox::pause(app_.db(), "track", "simulated");
  }
  model_.is_paused = !model_.is_paused;
}

void World::discard() {
  const std::int64_t id = random_event("state in (0, 2)");
  if (id == 0) return;
  require(outbox::discard(app_.db(), {.ids = {id}}, {"simulation", "why not"}) == 1,
          "a pending or dead event was not discarded");
  Event& event = model_.events.at(id);
  event.is_discarded = true;
  event.is_dead = false;
}

void World::retry() {
  const std::int64_t id = random_event("state in (2, 3) or (state = 0 and attempts > 0)");
  if (id == 0) return;
  require(outbox::retry(app_.db(), {.ids = {id}}) == 1, "an event that waits was not retried");
  Event& event = model_.events.at(id);
  event.is_discarded = false;
  event.is_dead = false;
  // What it is or was answered still counts.
  if (endpoint_.has_under_way(id) || round_->has_arrived() || round_->has_unrecorded()) return;
  event.lone_refusals.clear();
  event.lone_failures.clear();
  event.first_doubt = 0;
}

void World::requeue() {
  const std::int64_t id = random_event("state = 1");
  if (id == 0) return;
  require(outbox::requeue(app_.db(), {.ids = {id}}) == 1, "a delivered event was not requeued");
  Event& event = model_.events.at(id);
  event.duplicates_due = std::max(event.duplicates_due, event.accepted);
}

void World::erase() {
  const std::int64_t id = random_event("1");
  if (id == 0) return;
  Event& event = model_.events.at(id);
  if (event.is_rubbish) return;  // names nobody
  constexpr std::string_view mark = "\"user_id\":\"";
  const std::size_t begin = event.payload.find(mark) + mark.size();
  const std::string user = event.payload.substr(begin, event.payload.find('"', begin) - begin);
  require(outbox::erase(app_.path(), {.user_id = user}, {}, outbox::Run::real, 0ms).events == 1,
          "an event was not erased");
  event.is_removed = true;
  ++model_.removed;
}

}  // namespace simulation

#include "simulation/world.hpp"

#include <algorithm>
#include <numeric>

#include "simulation/fault_vfs.hpp"

namespace simulation {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// After the faults have ended. The longest hold is a minute in these lives, three suspects can
// stand before a good event, and a cornered one is judged after three minutes.
constexpr std::chrono::minutes delivery_max{30};

}  // namespace

World::World(std::uint64_t seed, std::ostream* story)
    : random_{seed},
      strictness_{seed % 2 == 0 ? Strictness::strict : Strictness::formal},
      is_calm_{chance(3)},
      has_slow_answers_{chance(2)} {
  model_.story = story;
  register_fault_vfs();
  faults() = {};
  app_.db().exec("pragma synchronous = off");  // a power cut is not what is simulated
  make_destination("track");
  make_destination("mirror");
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Latency latency{.usual_max = static_cast<int>(pick(3)),
                          .dawdles = has_slow_answers_,
                          .refuses_at_once = strictness_ == Strictness::strict};
    services_.push_back(
        std::make_unique<Service>(model_, i, options_[i], latency, app_, clock_, random_));
  }
  oracle_ = std::make_unique<Oracle>(app_.db(), model_, strictness_);
}

void World::make_destination(const char* name) {
  outbox::DispatcherOptions options{.destination = name,
                                    .batch_events = 1 + pick(12),
                                    .batch_bytes = chance(3) ? 1'000 + pick(10'000) : 1'900'000,
                                    .connections = has_slow_answers_ ? 2 + pick(2) : 1 + pick(3),
                                    .backoff_min = 1s,
                                    .backoff_max = 60s,
                                    .blocks_on_dead = chance(3),
                                    .scrubs_delivered = chance(4)};
  if (chance(4)) options.give_up_after = 1h;
  model_.destinations.push_back({.name = name,
                                 .connections = options.connections,
                                 .blocks_on_dead = options.blocks_on_dead,
                                 .scrubs = options.scrubs_delivered,
                                 .give_up_after = options.give_up_after.value_or(0ms)});
  options_.push_back(std::move(options));
}

std::size_t World::requests() const {
  return std::accumulate(
      model_.destinations.begin(), model_.destinations.end(), std::size_t{0},
      [](std::size_t sum, const Destination& destination) { return sum + destination.requests; });
}

void World::live(std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) {
    step();
    check();
  }
  die_out();
}

void World::step() {
  const std::uint64_t lot = pick(100);
  if (lot < 50) return run_rounds();
  if (lot < 60) return enqueue();
  if (lot < 63) return enqueue_once();
  if (lot < 66) return insert_by_sql();
  if (lot < 67) return switch_triggers();
  if (lot < 75) return move_clock();
  if (lot < 77) return discard();
  if (lot < 80) return retry();
  if (lot < 82) return requeue();
  if (lot < 83) return erase();
  if (lot < 85 && chance(4)) return move_events();
  if (lot < 85)
    return services_[any_destination()]->prune(clock_.now() - milliseconds{pick(60'000)});
  if (is_calm_ && !chance(4)) return run_rounds();
  trouble(lot);
}

void World::trouble(std::uint64_t lot) {
  if (lot < 90) return change_mood();
  if (lot < 94) return crash(any_destination());
  if (lot < 96) return break_disk();
  if (lot < 98) return pause_or_resume(any_destination());
  outbox::nudge(app_.db(), name_of(any_destination()));
}

// Some of them at once in a calm life.
void World::run_rounds() {
  for (std::uint64_t rounds = is_calm_ ? 1 + pick(6) : 1; rounds > 0; --rounds) {
    Service& service = *services_[any_destination()];
    service.run_round();
    if (chance(8)) service.wait();
    if (rounds > 1) check();
  }
}

std::int64_t World::random_event(const std::string& condition) {
  return app_.number("select coalesce((select id from outbox_event_states where " + condition +
                     " limit 1 offset " + std::to_string(pick(20)) + "), 0)");
}

// One of them, or some neighbours at once.
std::vector<std::int64_t> World::random_events(const std::string& condition) {
  const std::uint64_t count = chance(2) ? 1 : 2 + pick(10);
  const std::uint64_t offset = pick(20);
  SQLite::Statement rows{app_.db(), "select id from outbox_event_states where " + condition +
                                        " order by id limit " + std::to_string(count) + " offset " +
                                        std::to_string(offset)};
  std::vector<std::int64_t> ids;
  while (rows.executeStep()) ids.push_back(rows.getColumn(0).getInt64());
  return ids;
}

void World::change_mood() {
  const std::size_t destination = any_destination();
  const auto mood = chance(2) ? Mood::works : static_cast<Mood>(pick(moods));
  const std::string of_it = "destination = '" + name_of(destination) + "'";
  Service& service = *services_[destination];
  const Mood before = service.endpoint().mood();
  const bool is_searching =
      app_.number("select count(*) from outbox_requests where search is not null and " + of_it) >
          0 ||
      app_.count("waits_as = 'suspect' and " + of_it) > 0;
  const bool is_unfair =
      (mood == Mood::refuses_everything && (is_searching || !service.is_quiet())) ||
      (before == Mood::refuses_everything && !service.is_quiet());
  if (is_unfair && strictness_ == Strictness::strict) return;
  model_.tell("mood of", name_of(destination), static_cast<int>(mood));
  service.endpoint().set_mood(mood);
  if (!chance(10)) return;
  service.endpoint().move();
  crash(destination);  // another URL comes with another process
}

void World::break_disk() {
  model_.tell("the disk will break");
  Faults& disk = faults();
  disk.is_armed = true;
  disk.kind = static_cast<Faults::Kind>(pick(3));
  disk.calls_before = static_cast<std::int64_t>(pick(60));
  disk.is_for_ever = disk.kind != Faults::Kind::busy_lock && chance(3);
}

void World::move_clock() {
  if (chance(2)) {
    wait_for_next();
  } else if (chance(10)) {  // by years, either way
    clock_.advance(24h * (static_cast<std::int64_t>(pick(8'000)) - 4'000));
  } else {
    clock_.advance(milliseconds{pick(20'000)});
  }
  model_.tell("clock", outbox::core::unix_ms(clock_.now()));
}

void World::crash(std::size_t destination) {
  if (chance(2)) faults().is_armed = false;
  if (chance(6)) {  // the next process treats the dead in the other way
    services_[destination]->set_blocks_on_dead(!model_.destinations[destination].blocks_on_dead);
  } else {
    services_[destination]->crash();
  }
}

// To the end of a hold, or to when the next event is due.
void World::wait_for_next() {
  const std::string now = std::to_string(outbox::core::unix_ms(clock_.now()));
  const std::int64_t next = app_.number(
      "select coalesce(min(t), 0) from (select hold_until_ms as t from outbox_destinations where"
      " hold_kind is not null union all select due_at_ms from outbox_queue where state in (0, 3))"
      " where t > " +
      now);
  if (next > 0) clock_.set(outbox::core::instant_of(next));
  model_.tell("clock", outbox::core::unix_ms(clock_.now()));
}

void World::die_out() {
  model_.tell("the faults end");
  faults().is_armed = false;
  if (!has_triggers()) switch_triggers();
  for (std::size_t i = 0; i < services_.size(); ++i) {
    services_[i]->run_round();  // judges what has arrived
    services_[i]->endpoint().set_mood(Mood::works);
    if (model_.destinations[i].is_paused) pause_or_resume(i);
    const bool has_unqueued =
        std::any_of(model_.events.begin(), model_.events.end(), [i](const auto& entry) {
          return entry.second.destination == i && entry.second.is_unqueued &&
                 !entry.second.is_removed;
        });
    if (has_unqueued) services_[i]->crash();  // they are queued when it is served next
    services_[i]->run_round();
    check();
  }
  constexpr int rounds_max = 4'000;
  int idle_rounds = 0;
  for (int i = 0; app_.number("select count(*) from outbox_queue where state < 4") > 0; ++i) {
    require(i < rounds_max, "the queue does not empty");
    require_delivery();
    const std::size_t requests_before = requests();
    for (const auto& service : services_) service->run_round();
    check();
    // Time passes when there is nothing to do, so that it tells how long an event waits for
    // nothing.
    const bool is_idle = requests() == requests_before &&
                         std::all_of(services_.begin(), services_.end(), [](const auto& service) {
                           return service->endpoint().under_way() == 0;
                         });
    idle_rounds = is_idle ? idle_rounds + 1 : 0;
    // A round may only set rubbish aside, or take an erased event out of a search.
    if (idle_rounds >= 6) {
      wait_for_next();
      idle_rounds = 3;
    }
    if (i % 40 != 39) continue;
    for (std::size_t destination = 0; destination < services_.size(); ++destination) {
      tidy_up(destination);
    }
  }
  check_end();
}

// Every event that the endpoint accepts arrives soon after it may go: it is due, and nothing that
// waits for a good reason stands before it in its key.
void World::require_delivery() {
  std::set<std::pair<std::size_t, std::string>> held;
  for (const auto& [id, event] : model_.events) {
    const std::pair key{event.destination, event.ordering_key};
    if (event.has_ended() || event.is_delivered) {
      late_since_.erase(id);
      const bool blocks = (event.is_dead || event.is_rubbish) && !event.is_removed &&
                          !event.is_discarded &&
                          model_.destinations[event.destination].blocks_on_dead;
      if (blocks && !event.ordering_key.empty()) held.insert(key);
      continue;
    }
    const bool is_held = held.contains(key);
    if (!event.ordering_key.empty()) held.insert(key);
    const bool was_taken = event.accepted > 0;  // the answer was lost, and it will be sent again
    if (is_held || was_taken || service_of(event).may_wait(event)) {
      late_since_.erase(id);
      continue;
    }
    const auto since = late_since_.emplace(id, clock_.now()).first->second;
    require(clock_.now() - since <= delivery_max, "a good event was not delivered in time", id);
  }
}

// People give up the dead that hold others, and those that only they can decide; somebody else's
// event proves that the endpoint works.
void World::tidy_up(std::size_t destination) {
  for (auto& [id, event] : model_.events) {
    const bool holds = event.is_dead && !event.is_removed && event.destination == destination &&
                       !event.ordering_key.empty() &&
                       model_.destinations[destination].blocks_on_dead;
    const bool is_stuck = event.needs_people() && !event.has_ended() &&
                          event.destination == destination &&
                          app_.count("waits_as = 'suspect' and id = " + std::to_string(id)) > 0;
    if (holds || is_stuck) discard({event.id});
  }
  Event passer_by{.destination = destination};
  passer_by.payload = support::payload_of("e-" + std::to_string(users_++));
  SQLite::Transaction transaction{app_.db(), SQLite::TransactionBehavior::IMMEDIATE};
  passer_by.id = outbox::enqueue(app_.db(), outbox::Payload{passer_by.payload},
                                 {.destination = name_of(destination)})
                     .id;
  passer_by.enqueued_at_ms = outbox::core::unix_ms(clock_.now());
  use_our_time(passer_by);
  transaction.commit();
  add(std::move(passer_by));
}

void World::check_end() {
  for (const auto& [id, event] : model_.events) {
    const bool is_guilty = event.is_guilty();
    const bool was_ended = event.is_discarded || event.is_removed;
    require(was_ended || !is_guilty || event.is_dead || event.accepted > 0,
            "a bad event is still there", id);
    require(was_ended || is_guilty || event.is_dead || event.accepted > 0,
            "a good event never arrived", id);
  }
}

}  // namespace simulation

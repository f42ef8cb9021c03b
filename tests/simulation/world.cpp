#include "simulation/world.hpp"

#include <algorithm>

#include "simulation/fault_vfs.hpp"

namespace simulation {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

outbox::DispatcherOptions options_of(std::mt19937_64& random) {
  return {.batch_events = 1 + random() % 12,
          .connections = 1 + random() % 3,
          .backoff_min = 1s,
          .backoff_max = 60s};
}

std::string payload_of(const Event& event, const std::string& user) {
  if (event.is_rubbish) return R"({"event_name":"","rubbish":")" + user + "\"}";
  return R"({"event_name":"invite_sent","user_id":")" + user +
         R"(","timestamp":"2024-10-20T15:51:35.059000Z","properties":{},"context":{}})";
}

}  // namespace

World::World(std::uint64_t seed)
    : random_{seed},
      oracle_{seed % 2 == 0 ? Oracle::strict : Oracle::formal},
      options_{options_of(random_)} {
  register_fault_vfs();
  faults() = {};
  app_.db().exec("pragma synchronous = off");  // a power cut is not what is simulated
  endpoint_.set_latency(static_cast<int>(pick(3)));
  round_ = std::make_unique<outbox::dispatch::Round>(endpoint_, clock_, options_, random_());
}

void World::live(std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) {
    step();
    check(app_.db(), model_, oracle_);
  }
  die_out();
}

void World::step() {
  const std::uint64_t lot = pick(100);
  if (lot < 50) return run_round();
  if (lot < 62) return enqueue();
  if (lot < 65) return enqueue_once();
  if (lot < 68) return insert_by_sql();
  if (lot < 77) return move_clock();
  if (lot < 83) return change_mood();
  if (lot < 87) return crash();
  if (lot < 90) return break_disk();
  if (lot < 93) return pause_or_resume();
  if (lot < 94) return discard();
  if (lot < 96) return retry();
  if (lot < 97) return requeue();
  if (lot < 98) return erase();
  if (lot < 99) return prune();
  outbox::nudge(app_.db());
}

// One transaction of the app, with several events, savepoints, and now and then a rollback.
void World::enqueue() {
  app_.db().exec("begin immediate");
  std::vector<Event> committed;
  const std::uint64_t count = 1 + pick(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string user = "e-" + std::to_string(users_++);
    Event event{.ordering_key = chance(4) ? "key-" + std::to_string(pick(3)) : "",
                .is_bad = chance(12),
                .is_killer = chance(60)};
    event.payload = payload_of(event, user);
    const bool is_undone = chance(10);
    if (is_undone) app_.db().exec("savepoint host");
    outbox::EnqueueOptions options{.ordering_key = event.ordering_key};
    if (chance(8)) options.not_before = clock_.now() + milliseconds{pick(100'000)};
    event.id = outbox::enqueue(app_.db(), outbox::Payload{event.payload}, options).id;
    if (is_undone) {
      app_.db().exec("rollback to host; release host");
    } else {
      committed.push_back(event);
    }
  }
  if (chance(5)) {
    app_.db().exec("rollback");
    return;
  }
  app_.db().exec("commit");
  for (const Event& event : committed) add(event);
}

void World::insert_by_sql() {
  Event event{.is_rubbish = chance(2)};
  event.payload = payload_of(event, "e-" + std::to_string(users_++));
  event.id = app_.insert(event.payload);
  add(std::move(event));
}

void World::add(Event event) {
  constexpr std::string_view mark = "\"user_id\":\"";
  const std::size_t at = event.payload.find(mark);
  if (at != std::string::npos) {
    const std::size_t begin = at + mark.size();
    model_.by_user[event.payload.substr(begin, event.payload.find('"', begin) - begin)] = event.id;
  }
  model_.events[event.id] = std::move(event);
}

// One event for each key of a few, while its row lives.
void World::enqueue_once() {
  Event event{.dedupe_key = "once-" + std::to_string(pick(6)), .is_bad = chance(12)};
  event.payload = payload_of(event, "e-" + std::to_string(users_++));
  const bool is_there =
      std::any_of(model_.events.begin(), model_.events.end(), [&](const auto& entry) {
        return entry.second.dedupe_key == event.dedupe_key && !entry.second.is_removed;
      });
  SQLite::Transaction transaction{app_.db(), SQLite::TransactionBehavior::IMMEDIATE};
  const outbox::Enqueued enqueued =
      outbox::enqueue(app_.db(), outbox::Payload{event.payload}, {.dedupe_key = event.dedupe_key});
  transaction.commit();
  require(enqueued.duplicate == is_there, "a dedupe key let the wrong one through");
  event.id = enqueued.id;
  if (!is_there) add(std::move(event));
}

std::int64_t World::random_event(const std::string& condition) {
  return number("select coalesce((select id from outbox_events where " + condition +
                " limit 1 offset " + std::to_string(pick(20)) + "), 0)");
}

// As the dispatcher does between rounds.
void World::prune() {
  if (!store_) return;
  const auto before = clock_.now() - milliseconds{pick(60'000)};
  const std::string ids =
      app_.text("select group_concat(id) from outbox_events where state = 1 and settled_at_ms < " +
                std::to_string(outbox::core::unix_ms(before)));
  try {
    store_->prune(before, clock_.now());
  } catch (const outbox::database_error&) {
    close();
  }
  if (ids.empty()) return;
  for (auto& [id, event] : model_.events) {
    if (event.is_removed ||
        ("," + ids + ",").find("," + std::to_string(id) + ",") == std::string::npos) {
      continue;
    }
    if (number("select count(*) from outbox_events where id = " + std::to_string(id)) > 0) continue;
    event.is_removed = true;
    ++model_.removed;
  }
}

void World::change_mood() {
  auto mood = chance(2) ? Mood::works : static_cast<Mood>(pick(moods));
  const bool is_calm = number("select count(*) from outbox_batches where doubt is not null") == 0 &&
                       number(
                           "select count(*) from outbox_events where attempts > 0"
                           " and state = 0") == 0;
  if (mood == Mood::refuses_everything && oracle_ == Oracle::strict && !is_calm) return;
  endpoint_.set_mood(mood);
  if (!chance(10)) return;
  endpoint_.move();
  crash();  // another URL comes with another process
}

void World::break_disk() {
  Faults& disk = faults();
  disk.is_armed = true;
  disk.kind = static_cast<Faults::Kind>(pick(3));
  disk.calls_before = static_cast<std::int64_t>(pick(60));
  disk.is_for_ever = disk.kind != Faults::Kind::busy_lock && chance(3);
}

void World::move_clock() {
  if (chance(2)) return wait_for_next();
  if (chance(10)) {  // by years, either way
    clock_.advance(24h * (static_cast<std::int64_t>(pick(8'000)) - 4'000));
    return;
  }
  clock_.advance(milliseconds{pick(20'000)});
}

// The process is gone; what the endpoint took and the table does not say, it may take again.
void World::crash() {
  round_.reset();
  close();
  if (chance(2)) faults().is_armed = false;
  round_ = std::make_unique<outbox::dispatch::Round>(endpoint_, clock_, options_, random_());
  model_.is_on_hold = false;
  SQLite::Statement pending{app_.db(), "select id from outbox_events where state = 0"};
  while (pending.executeStep()) {
    Event& event = model_.events.at(pending.getColumn(0).getInt64());
    event.duplicates_due = std::max(event.duplicates_due, event.accepted);
  }
}

void World::open() {
  if (store_) return;
  database_ = outbox::storage::open_database({app_.path(), fault_vfs, {}}, 0ms);
  store_ =
      std::make_unique<outbox::storage::Store>(outbox::storage::handle_of(database_), "track", 0ms);
  store_->serve({endpoint_.name()}, clock_.now());
}

void World::close() {
  store_.reset();
  database_.reset();
}

// What the dispatcher's thread does in a pass, with its way of dealing with database trouble.
void World::run_round() {
  try {
    open();
    const auto report = round_->run(*store_, 0ms);
    model_.is_on_hold = report.hold.has_value();
    return;
  } catch (const Violation&) {  // seen by the endpoint
    throw;
  } catch (const outbox::database_error& error) {
    if (!error.is_busy()) close();
  } catch (const std::exception& error) {
    close();
    require(faults().struck > 0, std::string{"an exception without a cause: "} + error.what());
  }
  model_.is_on_hold = false;  // the next round may first record that it is over
}

// To the end of the hold, or to when the next event is due.
void World::wait_for_next() {
  const std::int64_t next = number(
      "select coalesce(min(t), 0) from (select hold_until_ms as t from outbox_destinations where"
      " hold_kind is not null union all select min(due_at_ms) from outbox_events where state = 0"
      " and due_at_ms > " +
      std::to_string(outbox::core::unix_ms(clock_.now())) + ")");
  const auto until = outbox::core::instant_of(next);
  if (until > clock_.now()) clock_.set(until);
}

void World::die_out() {
  faults().is_armed = false;
  endpoint_.set_mood(Mood::works);
  if (model_.is_paused) pause_or_resume();
  constexpr int rounds_max = 4'000;
  for (int i = 0; number("select count(*) from outbox_events where state = 0") > 0; ++i) {
    require(i < rounds_max, "the queue does not empty");
    run_round();
    check(app_.db(), model_, oracle_);
    if (i % 4 == 3) wait_for_next();
    if (i % 40 != 39) continue;
    Event passer_by;  // somebody else's event proves that the endpoint works
    passer_by.payload = payload_of(passer_by, "e-" + std::to_string(users_++));
    passer_by.id = app_.insert(passer_by.payload);
    add(passer_by);
  }
  for (const auto& [id, event] : model_.events) {
    const bool is_guilty = event.is_rubbish || event.is_bad || event.is_killer;
    const bool was_ended = event.is_discarded || event.is_removed;
    require(was_ended || !is_guilty || event.is_dead || event.accepted > 0,
            "a bad event is still there");
    require(was_ended || is_guilty || event.is_dead || event.accepted > 0,
            "a good event never arrived");
  }
}

}  // namespace simulation

// What the app does: commits events, in every way that it may.

#include <sqlite3.h>

#include <algorithm>

#include "simulation/world.hpp"

namespace simulation {

using std::chrono::milliseconds;

// What the endpoint answers when it is sent an event that it cannot stand; 0: nothing.
constexpr int killer_answers[] = {0, 0, 500, 500, 502, 503, 302, 401, 403, 404, 409, 429, 501};

// Most are small, as in an app; some are not.
std::size_t World::pick_size() {
  if (!chance(12)) return 0;
  constexpr std::size_t sizes[] = {1'000, 2'000, 10'000, 50'000, 250'000, 990'000};
  return sizes[pick(chance(10) ? std::size(sizes) : 3)];
}

// A payload that is valid, or that nobody can send, and which destination and key it is for.
Event World::new_event() {
  Event event{.destination = any_destination(),
              .enqueued_at_ms = outbox::core::unix_ms(clock_.now())};
  if (chance(3)) event.ordering_key = "key-" + std::to_string(pick(3));
  const std::string user = "e-" + std::to_string(users_++);
  event.payload = R"({"event_name":"invite_sent","user_id":")" + user +
                  R"(","timestamp":"2024-10-20T15:51:35.059000Z","properties":{},"context":{}})";
  event.payload.insert(event.payload.size() - 1, pick_size(), ' ');
  return event;
}

bool World::has_triggers() {
  int is_on = 1;
  sqlite3_db_config(app_.db().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &is_on);
  return is_on != 0;
}

// The library enqueues at the time of the system; in here another one counts. Requires: the event's
// own transaction is open.
void World::use_our_time(const Event& event) {
  const std::string time = std::to_string(event.enqueued_at_ms);
  const std::string id = std::to_string(event.id);
  app_.db().exec("update outbox_events set enqueued_at_ms = " + time + " where id = " + id);
  const int queued =
      app_.db().exec("update outbox_queue set enqueued_at_ms = " + time + " where event = " + id);
  require(queued == 1, "the library did not queue what it enqueued", event.id);
}

// One transaction with several events, savepoints, and now and then a rollback.
void World::enqueue() {
  app_.db().exec("begin immediate");
  std::vector<Event> committed;
  const std::uint64_t count = 1 + pick(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    Event event = new_event();
    event.is_bad = chance(12);
    event.is_killer = chance(60);
    if (event.is_killer) event.killer_answer = killer_answers[pick(std::size(killer_answers))];
    const bool is_undone = chance(10);
    if (is_undone) app_.db().exec("savepoint host");
    outbox::EnqueueOptions options{.destination = name_of(event.destination),
                                   .ordering_key = event.ordering_key,
                                   .event_bytes_max = 1'000'000};
    if (chance(8)) {
      options.not_before = clock_.now() + milliseconds{pick(100'000)};
      event.not_before_ms = std::max<std::int64_t>(
          outbox::core::unix_ms(std::chrono::floor<milliseconds>(
              options.not_before.value_or(std::chrono::system_clock::time_point{}))),
          0);
      event.due_at_ms = event.not_before_ms;
    }
    event.id = outbox::enqueue(app_.db(), outbox::Payload{event.payload}, options).id;
    use_our_time(event);
    if (is_undone) {
      app_.db().exec("rollback to host; release host");
    } else {
      committed.push_back(std::move(event));
    }
  }
  if (chance(5)) {
    app_.db().exec("rollback");
    return;
  }
  app_.db().exec("commit");
  for (Event& event : committed) add(std::move(event));
}

// One event for each dedupe key of a few, while its row lives.
void World::enqueue_once() {
  Event event = new_event();
  event.ordering_key = {};
  event.dedupe_key = "once-" + std::to_string(pick(6));
  event.is_bad = chance(12);
  const bool is_there = has_dedupe_key(event.destination, event.dedupe_key);
  SQLite::Transaction transaction{app_.db(), SQLite::TransactionBehavior::IMMEDIATE};
  const outbox::Enqueued enqueued = outbox::enqueue(app_.db(), outbox::Payload{event.payload},
                                                    {.destination = name_of(event.destination),
                                                     .dedupe_key = event.dedupe_key,
                                                     .event_bytes_max = 1'000'000});
  require(enqueued.is_duplicate == is_there, "a dedupe key let the wrong one through", enqueued.id);
  event.id = enqueued.id;
  if (!is_there) use_our_time(event);
  transaction.commit();
  if (!is_there) add(std::move(event));
}

bool World::has_dedupe_key(std::size_t destination, const std::string& key) const {
  return std::any_of(model_.events.begin(), model_.events.end(), [&](const auto& entry) {
    const Event& event = entry.second;
    return event.destination == destination && event.dedupe_key == key && !event.is_removed;
  });
}

void World::insert_by_sql() {
  Event event = new_event();
  event.is_rubbish = chance(2);
  if (event.is_rubbish) {
    event.payload = R"({"event_name":"","rubbish":")" + user_in(event.payload) + "\"}";
  }
  event.is_unqueued = !has_triggers();
  SQLite::Statement insert{app_.db(),
                           "insert into outbox_events (destination, payload, ordering_key,"
                           " enqueued_at_ms) values (?, ?, nullif(?, ''), ?)"};
  insert.bind(1, name_of(event.destination));
  insert.bind(2, event.payload);
  insert.bind(3, event.ordering_key);
  insert.bind(4, event.enqueued_at_ms);
  insert.exec();
  event.id = app_.db().getLastInsertRowid();
  add(std::move(event));
}

// As a host may that does not trust its file.
void World::switch_triggers() {
  const bool is_on = has_triggers();
  model_.tell("triggers", is_on ? "off" : "on");
  sqlite3_db_config(app_.db().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, is_on ? 0 : 1, nullptr);
}

void World::add(Event event) {
  model_.tell("commit", event.id, "to", name_of(event.destination), event.ordering_key,
              event.due_at_ms > 0 ? "later" : "", event.is_rubbish ? "rubbish" : "",
              event.is_bad ? "bad" : "", event.is_killer ? "killer" : "",
              event.is_unqueued ? "unqueued" : "");
  const std::string user = user_in(event.payload);
  if (!user.empty()) model_.by_user[user] = event.id;
  model_.events[event.id] = std::move(event);
}

}  // namespace simulation

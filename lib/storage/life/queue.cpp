#include "storage/life/queue.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/life/taking.hpp"

namespace outbox::storage {

namespace {

constexpr auto take_action = "take";
constexpr auto id_max = std::numeric_limits<std::int64_t>::max();

// A range ends in `id_end`, or has no end: with statistics that were made while the queue held five
// events, SQLite takes a range of one end for one row, and sorts all that is really in it.
constexpr auto id_end = " and q.event < 9223372036854775807 order by q.event";

// Each statement that takes begins with these columns. CROSS JOIN: the queue leads, in its order.
std::string taking_sql(const std::string& where, const char* more_columns = "") {
  return std::string{
             "select q.event, q.enqueued_at_ms, e.payload, e.validated, q.ordering_key, e.kind,"
             " e.event_id, e.headers, e.enqueued_at_ms"} +
         more_columns +
         " from main.outbox_queue q cross join main.outbox_events e on e.id = q.event"
         " where q.destination = ?1 and " +
         where;
}

}  // namespace

Queue::Queue(sqlite3* db, std::string destination)
    : db_{db},
      destination_{std::move(destination)},
      at_once_{db,
               taking_sql(std::string{"q.state = 0 and q.due_at_ms = 0 and q.event > ?2"} + id_end),
               take_action, Use::often},
      scheduled_{db,
                 taking_sql("q.state = 0 and q.due_at_ms >= ?2 order by q.due_at_ms, q.event",
                            ", q.due_at_ms"),
                 take_action, Use::often},
      // By name where a key is looked for: with statistics that were made while the queue held a
      // few events without a key, SQLite takes the range of the destination instead.
      earlier_in_key_{db,
                      "select event from main.outbox_queue indexed by outbox_queue_keys"
                      " where destination = ?1 and ordering_key = ?2 and event < ?3 and state < 4"
                      " order by event desc limit 1",
                      take_action, Use::often},
      dead_in_key_{db,
                   "select event from main.outbox_queue indexed by outbox_queue_dead_keys"
                   " where destination = ?1 and ordering_key = ?2 and event < ?3 and state = 4"
                   " limit 1",
                   take_action, Use::often},
      next_in_key_{db,
                   "select event, state, due_at_ms from main.outbox_queue"
                   " indexed by outbox_queue_keys where destination = ?1 and ordering_key = ?2"
                   " and event > ?3 and state < 4 order by event limit 1",
                   take_action, Use::often},
      follower_{db, taking_sql("q.state = 1 and q.due_at_ms = ?2 and q.event = ?3"), take_action,
                Use::often},
      in_search_{
          db,
          taking_sql(std::string{"q.state = 2 and q.due_at_ms = 0 and q.event >= ?2"} + id_end,
                     ", q.search"),
          take_action, Use::often},
      // A failure at it alone is no refusal: it waits its time, whatever is accepted meanwhile.
      suspects_{db,
                taking_sql("q.state = 3 and (q.due_at_ms <= ?2 or q.due_at_ms > ?3"
                           " or (q.refusals > 0 and q.solo_failures = 0 and iif(?5, q.search, "
                           "q.refused_in) < ?4))",
                           ", q.due_at_ms, q.refused_in, q.search, q.refusals, q.solo_failures,"
                           " q.suspected_at_ms"),
                take_action, Use::often},
      unproven_death_{
          db,
          "select 1 from main.outbox_queue indexed by outbox_queue_dead_keys"
          " where destination = ?1 and ordering_key = ?2 and state = 4 and refused_in > ?3 limit 1",
          take_action, Use::often},
      has_waiting_{db,
                   "select 1 from main.outbox_queue where destination = ?1 and state = 1 limit 1",
                   take_action, Use::often},
      next_due_{db,
                "select min(due) from (select min(due_at_ms) as due from main.outbox_queue"
                " where destination = ?1 and state = 0 and due_at_ms > ?2"
                " union all select min(due_at_ms) from main.outbox_queue"
                " where destination = ?1 and state = 3 and due_at_ms > ?2)",
                take_action, Use::often},
      data_version_{db, "pragma main.data_version", "look for commits", Use::often} {}

Take Queue::take(const core::BatchLimits& limits, core::Instant now, Claims& claims) {
  // People and other processes make events ready anywhere; our own commits tell `claims` where.
  const std::int64_t version = data_version();
  if (std::exchange(seen_version_, version) != version) claims.look_from(1);
  Taking taking{limits, now, claims};
  {
    const ResetAtEnd end{has_waiting_};
    taking.has_waiting = has_waiting_.bind(1, destination_).step();
  }
  // A part of each take is for scheduled events: a steady stream of new ones would starve them.
  const std::size_t share = limits.events_max >= 4 ? limits.events_max / 4 : (++takes_ % 4 == 0);
  const ResetAtEnd end{scheduled_};  // one walk, which stops in between
  scheduled_.bind(1, destination_).bind(2, std::int64_t{1});
  add_scheduled(taking, share);
  const std::int64_t looked_to = add_at_once(taking, claims.looked_to());
  if (!taking.is_full()) add_scheduled(taking, limits.events_max);
  taking.take.has_more = taking.take.has_more || taking.is_full();
  finish(taking, claims);
  claims.set_looked_to(looked_to);
  if (taking.passed) claims.look_from(*taking.passed);
  return std::move(taking.take);
}

// In order of id, and claimed.
void Queue::finish(Taking& taking, Claims& claims) {
  auto& rows = taking.rows;
  auto& events = taking.take.events;
  const auto by_id = [](const auto& left, const auto& right) { return left.id < right.id; };
  if (!std::is_sorted(rows.begin(), rows.end(), by_id)) {
    std::sort(rows.begin(), rows.end(), by_id);
    std::sort(events.begin(), events.end(), by_id);
  }
  claims.note_version(data_version());
  taking.take.taken = Taken{claims, std::move(rows)};
}

// To the next scheduled event that is due.
bool Queue::step_scheduled(core::Instant now) {
  return scheduled_.step() && scheduled_.integer(column::first_more) <= core::unix_ms(now);
}

// Goes on with the walk through the scheduled events.
void Queue::add_scheduled(Taking& taking, std::size_t events_max) {
  const std::size_t before = taking.rows.size();
  while (taking.has_scheduled && taking.rows.size() - before < events_max && !taking.is_full()) {
    taking.has_scheduled = step_scheduled(taking.now);
    if (!taking.has_scheduled) return;
    // What is in flight is passed over each time, and must not use up the looks.
    if (taking.claims.contains(scheduled_.integer(column::event))) continue;
    if (++taking.looks > looks_max) {
      taking.take.has_more = true;
      return;
    }
    add_ready(taking, scheduled_, scheduled_.integer(column::first_more));
  }
}

// Returns up to which id all were looked at.
std::int64_t Queue::add_at_once(Taking& taking, std::int64_t after) {
  const ResetAtEnd end{at_once_};
  at_once_.bind(1, destination_).bind(2, after);
  while (!taking.is_full()) {
    if (!at_once_.step()) {
      add_followers(taking, id_max);
      return after;
    }
    const std::int64_t id = at_once_.integer(0);
    add_followers(taking, id);
    if (taking.is_full()) return after;
    if (taking.claims.contains(id)) {  // in flight, as above
      after = id;
      continue;
    }
    if (++taking.looks > looks_max) {
      taking.take.has_more = true;
      return after;
    }
    after = id;
    add_ready(taking, at_once_, 0);
  }
  return after;
}

// Adds the ready event at `row`, or notes that it waits. Requires: it is not in flight.
void Queue::add_ready(Taking& taking, const Statement& row, std::int64_t due_at_ms) {
  core::QueuedEvent event = row_at(row, core::QueueState::ready, due_at_ms);
  const std::int64_t id = event.id;
  const std::string key = event.ordering_key;
  if (key.empty()) return taking.add(row, std::move(event));
  if (taking.with_key.contains(id)) return;  // the other walk has it
  if (taking.held_keys.contains(key) || is_held_in_table(taking, key, id)) {
    taking.take.waiting.push_back(std::move(event));
    taking.held_keys.insert(key);
    return;
  }
  if (taking.is_in_flight_before(key, id)) {  // nothing would wake it, if it waited in the table
    taking.passed = std::min(taking.passed.value_or(id), id);
    return;
  }
  taking.add(row, std::move(event));
  remember_follower(taking, key, id);
}

// Waiting events whose predecessor is in this take, up to `before`, so that a key's events share a
// request.
void Queue::add_followers(Taking& taking, std::int64_t before) {
  while (!taking.followers.empty() && !taking.is_full()) {
    if (taking.followers.begin()->first >= before) return;
    const auto follower = taking.followers.extract(taking.followers.begin());
    const auto& [key, due_at_ms] = follower.mapped();
    const ResetAtEnd end{follower_};
    if (!follower_.bind(1, destination_).bind(2, due_at_ms).bind(3, follower.key()).step())
      continue;
    taking.add(follower_, core::QueueState::waiting, due_at_ms);
    remember_follower(taking, key, follower.key());
  }
}

void Queue::remember_follower(Taking& taking, const std::string& key, std::int64_t id) {
  if (!taking.has_waiting) return;
  const ResetAtEnd end{next_in_key_};
  next_in_key_.bind(1, destination_).bind(2, key).bind(3, id);
  if (!next_in_key_.step()) return;
  const std::int64_t next = next_in_key_.integer(0);
  const bool may_go = core::QueueState{next_in_key_.integer(1)} == core::QueueState::waiting &&
                      next_in_key_.integer(2) <= core::unix_ms(taking.now) &&
                      !taking.claims.contains(next) && !is_held(taking, key, next);
  if (may_go) taking.followers.emplace(next, Follower{key, next_in_key_.integer(2)});
}

// An event that a person has discarded or erased may still be in flight: then it is not in the
// table.
bool Queue::is_held(Taking& taking, const std::string& key, std::int64_t id) {
  return is_held_in_table(taking, key, id) || taking.is_in_flight_before(key, id);
}

// The nearest earlier event will do: where that is in this take, the ones before it are too.
bool Queue::is_held_in_table(const Taking& taking, const std::string& key, std::int64_t id) {
  if (key.empty()) return false;
  if (on_dead_ == core::OnDead::blocks) {
    const ResetAtEnd end{dead_in_key_};
    if (dead_in_key_.bind(1, destination_).bind(2, key).bind(3, id).step()) return true;
  }
  const ResetAtEnd end{earlier_in_key_};
  earlier_in_key_.bind(1, destination_).bind(2, key).bind(3, id);
  return earlier_in_key_.step() && !taking.with_key.contains(earlier_in_key_.integer(0));
}

std::int64_t Queue::data_version() {
  const ResetAtEnd end{data_version_};
  return data_version_.step() ? data_version_.integer(0) : 0;
}

}  // namespace outbox::storage

#include <algorithm>
#include <utility>

#include "storage/store.hpp"

namespace outbox::storage {

namespace {

// So many events one take looks at, at most: of those that wait for their ordering key there may be
// millions. The next take goes on behind them.
constexpr std::size_t looks_max = 10'000;
// The walk through the scheduled events takes about a percent of the time, whatever waits there.
constexpr std::chrono::seconds scheduled_again_after{1};
constexpr std::chrono::microseconds scheduled_again_after_each{100};

core::PendingEvent event_at(const Statement& row) {
  return {.id = row.integer(0),
          .payload = row.text(1),
          .is_validated = row.integer(2) == 1,
          .ordering_key = row.text(3)};
}

}  // namespace

// One call of `take`: what it has so far.
struct Store::Taking {
  const TakeLimits& limits;
  core::Instant now;
  const IdSet& left_out;
  std::vector<core::PendingEvent> events = {};
  TakenIds ids = {};  // but for those of a walk that have no key: nobody asks for them
  std::unordered_map<std::string, std::int64_t> waiting = {};  // by key, from this event on
  std::size_t bytes = 0;
  std::size_t looks = 0;

  bool is_full() const { return events.size() >= limits.events_max || bytes >= limits.bytes_max; }
  bool has(std::int64_t id) const { return !ids.empty() && ids.contains(id); }
  bool is_due(std::int64_t due_at_ms) const { return due_at_ms <= core::unix_ms(now); }
  bool is_known_to_wait(const std::string& key, std::int64_t id) const {
    const auto known = waiting.find(key);
    return known != waiting.end() && known->second < id;
  }
  void add(core::PendingEvent event) {
    bytes += event.payload.size();
    events.push_back(std::move(event));
  }
};

std::vector<core::PendingEvent> Store::take(const TakeLimits& limits, core::Instant now,
                                            const IdSet& left_out) {
  // With nothing left behind, beginning anew costs nothing and sees rows that became pending again.
  if (left_out.empty() && !progress_.may_wait()) begin_anew();
  if (is_scheduled_walk_old(now)) {
    progress_.scheduled = {};
    progress_.scheduled_since = now;
  }

  has_more_to_look_at_ = false;
  Taking taking{.limits = limits, .now = now, .left_out = left_out};
  take_again(taking);
  take_freed_keys(taking);
  // A part of each take is for scheduled events: a steady stream of new ones would starve them.
  const std::size_t share = limits.events_max >= 4 ? limits.events_max / 4 : (++takes_ % 4 == 0);
  take_scheduled(taking, share);
  take_at_once(taking);
  take_behind(taking);
  take_scheduled(taking, limits.events_max);
  const auto by_id = [](const auto& left, const auto& right) { return left.id < right.id; };
  if (!std::is_sorted(taking.events.begin(), taking.events.end(), by_id)) {
    std::sort(taking.events.begin(), taking.events.end(), by_id);
  }
  return std::move(taking.events);
}

void Store::take_again(const core::Ids& ids) {
  progress_.again.insert(ids.begin(), ids.end());
}

void Store::begin_anew() {
  progress_.at_once = {};
  progress_.scheduled = {};
  progress_.behind.reset();
  progress_.again.clear();
  progress_.freed_keys.clear();
}

void Store::look_behind() {
  progress_.behind = Cursor{};
  progress_.behind_end = progress_.at_once.id;
  progress_.at_once.passed_over = 0;  // counted by that look
  progress_.scheduled = {};
}

// An event may be committed after others that are due later, so the walk through the scheduled ones
// begins anew when that costs little; and when the clock has jumped back.
bool Store::is_scheduled_walk_old(core::Instant now) const {
  const core::Instant since = progress_.scheduled_since;
  const auto pause = std::max<std::chrono::microseconds>(
      scheduled_again_after, scheduled_again_after_each * progress_.scheduled.passed_over);
  return progress_.scheduled.passed_over == 0 || now < since || now - since > pause ||
         progress_.scheduled.due_at_ms > core::unix_ms(now);
}

void Store::take_again(Taking& taking) {
  while (!progress_.again.empty() && !taking.is_full()) {
    const std::int64_t id = *progress_.again.begin();
    progress_.again.erase(progress_.again.begin());
    const ResetAtEnd end{by_id_};
    const bool is_there = by_id_.bind(1, id).bind(2, destination_).step();
    if (!is_there || taking.left_out.contains(id) || !taking.is_due(by_id_.integer(4))) continue;
    if (has_earlier_outside(by_id_.text(3), id, taking.ids)) {
      ++progress_.at_once.passed_over;
    } else {
      taking.add(event_at(by_id_));
      taking.ids.insert(id);
      remember_key(id, by_id_.text(3));
    }
  }
}

// Events that waited for one that has left, straight from their key's own index.
void Store::take_freed_keys(Taking& taking) {
  auto key = progress_.freed_keys.begin();
  while (key != progress_.freed_keys.end() && !taking.is_full()) {
    key = take_freed_key(taking, *key) ? progress_.freed_keys.erase(key) : std::next(key);
  }
}

// True: nothing more is to be had of the key until another one of it has left.
bool Store::take_freed_key(Taking& taking, const std::string& key) {
  const ResetAtEnd end{of_key_};
  of_key_.bind(1, destination_).bind(2, key);
  while (of_key_.step()) {
    const std::int64_t id = of_key_.integer(0);
    const std::int64_t due_at_ms = of_key_.integer(4);
    const bool is_suspect = !of_key_.is_null(5);
    if (taking.has(id)) continue;
    const bool waits = is_suspect || taking.left_out.contains(id) || !taking.is_due(due_at_ms) ||
                       is_ahead(due_at_ms, id) || has_earlier_outside(key, id, taking.ids);
    if (waits) return true;
    if (taking.is_full()) return false;
    taking.add(event_at(of_key_));
    taking.ids.insert(id);
    remember_key(id, key);
    Cursor& cursor = due_at_ms == 0 ? progress_.at_once : progress_.scheduled;
    if (cursor.passed_over > 0) --cursor.passed_over;
  }
  return true;
}

// The walk will come to it.
bool Store::is_ahead(std::int64_t due_at_ms, std::int64_t id) const {
  const Cursor& cursor = due_at_ms == 0 ? progress_.at_once : progress_.scheduled;
  return cursor.is_before(due_at_ms, id);
}

void Store::take_scheduled(Taking& taking, std::size_t events_max) {
  Cursor& cursor = progress_.scheduled;
  std::size_t taken = 0;
  if (cursor.due_at_ms > 0) {  // the rest of those that are due at one instant
    at_instant_.bind(1, destination_).bind(2, cursor.due_at_ms).bind(3, cursor.id);
    taken = walk(taking, at_instant_, cursor, events_max);
  }
  if (taken == events_max || has_more_to_look_at_) return;
  after_instant_.bind(1, destination_).bind(2, cursor.due_at_ms).bind(3, core::unix_ms(taking.now));
  walk(taking, after_instant_, cursor, events_max - taken);
}

void Store::take_at_once(Taking& taking) {
  at_instant_.bind(1, destination_).bind(2, std::int64_t{0}).bind(3, progress_.at_once.id);
  walk(taking, at_instant_, progress_.at_once, taking.limits.events_max);
}

// What became pending behind the cursor, or waits no more, without keeping new events waiting.
void Store::take_behind(Taking& taking) {
  if (!progress_.behind || taking.is_full() || has_more_to_look_at_) return;
  Cursor& cursor = *progress_.behind;
  at_instant_.bind(1, destination_).bind(2, std::int64_t{0}).bind(3, cursor.id);
  walk(taking, at_instant_, cursor, taking.limits.events_max, progress_.behind_end);
  progress_.at_once.passed_over += std::exchange(cursor.passed_over, 0);
  const bool is_through = !taking.is_full() && !has_more_to_look_at_;
  if (is_through) progress_.behind.reset();
}

// Returns how many it took.
std::size_t Store::walk(Taking& taking, Statement& range, Cursor& cursor, std::size_t events_max,
                        std::int64_t last_id) {
  const ResetAtEnd end{range};
  std::size_t taken = 0;
  while (taken < events_max && !taking.is_full() && range.step()) {
    if (range.integer(0) > last_id) break;
    if (++taking.looks > looks_max) {
      has_more_to_look_at_ = true;
      break;
    }
    const std::int64_t id = cursor.id = range.integer(0);
    cursor.due_at_ms = range.integer(4);
    if (taking.left_out.contains(id) || taking.has(id)) continue;
    if (!range.is_null(3)) {
      const std::string key = range.text(3);
      const bool is_known = taking.is_known_to_wait(key, id);
      if (is_known || has_earlier_outside(key, id, taking.ids)) {
        if (!is_known) taking.waiting[key] = id;
        ++cursor.passed_over;
        continue;
      }
      taking.ids.insert(id);
      remember_key(id, key);
    }
    taking.add(event_at(range));
    ++taken;
  }
  return taken;
}

void Store::remember_key(std::int64_t id, const std::string& key) {
  if (!key.empty()) progress_.keys[id] = key;
}

// The event has left: what waited for it may go.
void Store::free_key_of(std::int64_t id) {
  if (progress_.keys.empty()) return;
  auto key = progress_.keys.extract(id);
  if (!key.empty() && progress_.may_wait()) progress_.freed_keys.insert(std::move(key.mapped()));
}

// The nearest pending one will do: where that is taken, the ones before it are through or taken
// too.
bool Store::has_earlier_outside(const std::string& key, std::int64_t id, const TakenIds& taken) {
  if (key.empty()) return false;
  if (on_dead_ == core::OnDead::blocks) {
    const ResetAtEnd end{dead_in_key_};
    if (dead_in_key_.bind(1, destination_).bind(2, key).bind(3, id).step()) return true;
  }
  const ResetAtEnd end{before_in_key_};
  before_in_key_.bind(1, destination_).bind(2, key).bind(3, id);
  return before_in_key_.step() && !taken.contains(before_in_key_.integer(0));
}

std::vector<core::PendingEvent> Store::take_these(const core::Ids& ids) {
  std::vector<core::PendingEvent> events;
  TakenIds taken;
  for (const std::int64_t id : ids) {
    const ResetAtEnd end{by_id_};
    by_id_.bind(1, id).bind(2, destination_);
    if (!by_id_.step() || has_earlier_outside(by_id_.text(3), id, taken)) continue;
    taken.insert(id);
    events.push_back(event_at(by_id_));
    remember_key(id, events.back().ordering_key);
  }
  return events;
}

std::optional<core::PendingEvent> Store::take_suspect(const SuspectLimits& limits,
                                                      core::Instant now, const IdSet& left_out) {
  const ResetAtEnd end{suspect_};
  suspect_.bind(1, destination_)
      .bind(2, core::unix_ms(now))
      .bind(3, core::unix_ms(now + limits.wait_max))
      .bind(4, limits.accepted_batch)
      .bind(5, std::int64_t{limits.evidence == Evidence::around});
  while (suspect_.step()) {
    const std::int64_t id = suspect_.integer(0);
    if (left_out.contains(id) || has_earlier_outside(suspect_.text(3), id, {})) continue;
    core::PendingEvent event = event_at(suspect_);
    event.suspicion = {.batch = suspect_.integer(4),
                       .since = suspect_.integer(5),
                       .attempts = suspect_.integer(6),
                       .lonely_failures = suspect_.integer(7)};
    remember_key(id, event.ordering_key);
    return event;
  }
  return std::nullopt;
}

}  // namespace outbox::storage

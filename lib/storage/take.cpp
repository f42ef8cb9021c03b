#include <algorithm>

#include "storage/store.hpp"

namespace outbox::storage {

namespace {

// Keys that wait are looked up one by one at each take. Beyond this many, `take` does not remember
// them, and looks at their events again each time.
constexpr std::size_t blocked_keys_max = 1'000;

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
  std::unordered_set<std::int64_t> ids = {};
  std::size_t bytes = 0;

  bool is_full() const { return events.size() >= limits.events_max || bytes >= limits.bytes_max; }
  bool has(std::int64_t id) const { return ids.contains(id); }
  void add(core::PendingEvent event) {
    bytes += event.payload.size();
    ids.insert(event.id);
    events.push_back(std::move(event));
  }
};

std::vector<core::PendingEvent> Store::take(const TakeLimits& limits, core::Instant now,
                                            const IdSet& left_out) {
  // With nothing left behind, starting anew costs nothing and sees rows that became pending again.
  if (left_out.empty() && blocked_keys_.empty()) looked_at_ = 0;

  Taking taking{.limits = limits, .now = now, .left_out = left_out};
  take_blocked_keys(taking);
  // A part of each take is for scheduled events: a steady stream of new ones would starve them.
  const std::size_t share = limits.events_max >= 4 ? limits.events_max / 4 : (++takes_ % 4 == 0);
  take_scheduled(taking, share);
  take_at_once(taking);
  take_scheduled(taking, limits.events_max);
  std::sort(taking.events.begin(), taking.events.end(),
            [](const auto& left, const auto& right) { return left.id < right.id; });
  return std::move(taking.events);
}

void Store::look_again_from(std::int64_t id) {
  looked_at_ = std::min(looked_at_, std::max<std::int64_t>(id - 1, 0));
  if (id == 0) blocked_keys_.clear();
}

// Events whose key was seen to wait, straight from that key's own index.
void Store::take_blocked_keys(Taking& taking) {
  for (auto key = blocked_keys_.begin(); key != blocked_keys_.end();) {
    const ResetAtEnd end{of_key_};
    of_key_.bind(1, destination_).bind(2, *key);
    bool is_through = true;
    while (of_key_.step()) {
      const bool is_due = of_key_.integer(4) <= core::unix_ms(taking.now);
      const bool is_suspect = !of_key_.is_null(5);
      const bool waits =
          !is_due || is_suspect || taking.left_out.contains(of_key_.integer(0)) || taking.is_full();
      if (waits) {
        is_through = false;
        break;
      }
      taking.add(event_at(of_key_));
    }
    key = is_through ? blocked_keys_.erase(key) : std::next(key);
  }
}

void Store::take_scheduled(Taking& taking, std::size_t events_max) {
  const ResetAtEnd end{scheduled_};
  scheduled_.bind(1, destination_).bind(2, core::unix_ms(taking.now));
  for (std::size_t taken = 0; taken < events_max && !taking.is_full() && scheduled_.step();) {
    const std::int64_t id = scheduled_.integer(0);
    if (taking.left_out.contains(id) || taking.has(id)) continue;
    if (waits_for_earlier(scheduled_.text(3), id, taking)) continue;
    taking.add(event_at(scheduled_));
    ++taken;
  }
}

void Store::take_at_once(Taking& taking) {
  const ResetAtEnd end{at_once_};
  at_once_.bind(1, destination_).bind(2, looked_at_);
  std::optional<std::int64_t> first_forgotten;
  while (!taking.is_full() && at_once_.step()) {
    looked_at_ = at_once_.integer(0);
    if (taking.left_out.contains(looked_at_) || taking.has(looked_at_)) continue;
    const std::string key = at_once_.text(3);
    if (!waits_for_earlier(key, looked_at_, taking)) {
      taking.add(event_at(at_once_));
    } else if (blocked_keys_.size() < blocked_keys_max) {
      blocked_keys_.insert(key);
    } else if (!blocked_keys_.contains(key) && !first_forgotten) {
      first_forgotten = looked_at_;
    }
  }
  if (first_forgotten) look_again_from(*first_forgotten);
}

bool Store::waits_for_earlier(const std::string& key, std::int64_t id, const Taking& taking) {
  if (key.empty()) return false;
  return blocked_keys_.contains(key) || has_earlier_outside(key, id, taking.ids);
}

// The nearest one will do: where that is taken, the ones before it are through or taken too.
bool Store::has_earlier_outside(const std::string& key, std::int64_t id, const IdSet& taken) {
  if (key.empty()) return false;
  const ResetAtEnd end{before_in_key_};
  before_in_key_.bind(1, destination_).bind(2, key).bind(3, id);
  return before_in_key_.step() && !taken.contains(before_in_key_.integer(0));
}

std::vector<core::PendingEvent> Store::take_these(const core::Ids& ids) {
  std::vector<core::PendingEvent> events;
  IdSet taken;
  for (const std::int64_t id : ids) {
    const ResetAtEnd end{by_id_};
    by_id_.bind(1, id).bind(2, destination_);
    if (!by_id_.step() || has_earlier_outside(by_id_.text(3), id, taken)) continue;
    taken.insert(id);
    events.push_back(event_at(by_id_));
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
    return event;
  }
  return std::nullopt;
}

std::optional<core::Instant> Store::next_due(core::Instant now) {
  const ResetAtEnd end{next_due_};
  next_due_.bind(1, destination_).bind(2, core::unix_ms(now));
  if (!next_due_.step() || next_due_.is_null(0)) return std::nullopt;
  return core::instant_of(next_due_.integer(0));
}

std::int64_t Store::due_count(core::Instant now) {
  Statement count{db_,
                  "select count(*) from main.outbox_events"
                  " where destination = ?1 and state = 0 and due_at_ms <= ?2",
                  "count due events"};
  count.bind(1, destination_).bind(2, core::unix_ms(now)).step();
  return count.integer(0);
}

std::int64_t Store::suspect_count(core::Instant now) {
  Statement count{db_,
                  "select count(*) from main.outbox_events where destination = ?1 and state = 0"
                  " and attempts > 0 and suspect_batch is not null and due_at_ms > ?2",
                  "count suspects"};
  count.bind(1, destination_).bind(2, core::unix_ms(now)).step();
  return count.integer(0);
}

}  // namespace outbox::storage

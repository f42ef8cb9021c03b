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
  const std::unordered_set<std::int64_t>& in_flight;
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
                                            const std::unordered_set<std::int64_t>& in_flight) {
  // With nothing left behind, starting anew costs nothing and sees rows that became pending again.
  if (in_flight.empty() && blocked_keys_.empty()) looked_at_ = 0;

  Taking taking{.limits = limits, .now = now, .in_flight = in_flight};
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
      const bool waits =
          !is_due || taking.in_flight.contains(of_key_.integer(0)) || taking.is_full();
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
    if (taking.in_flight.contains(id) || taking.has(id)) continue;
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
    if (taking.in_flight.contains(looked_at_) || taking.has(looked_at_)) continue;
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
  if (blocked_keys_.contains(key)) return true;
  const ResetAtEnd end{before_in_key_};
  before_in_key_.bind(1, destination_).bind(2, key).bind(3, id);
  return before_in_key_.step() && !taking.has(before_in_key_.integer(0));
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

}  // namespace outbox::storage

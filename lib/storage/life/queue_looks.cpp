// How much there is in the queue, when the next is due, and what has waited too long.

#include <algorithm>
#include <string>

#include "storage/life/queue.hpp"

namespace outbox::storage {

namespace {

constexpr auto look_action = "look at the queue";
constexpr std::size_t rows_max = 10'000;

}  // namespace

std::optional<core::Instant> Queue::next_due(core::Instant now) {
  const ResetAtEnd end{next_due_};
  next_due_.bind(1, destination_).bind(2, core::unix_ms(now));
  if (!next_due_.step() || next_due_.is_null(0)) return std::nullopt;
  return core::instant_of(next_due_.integer(0));
}

bool Queue::has_due(core::Instant now) {
  return count(now,
               "select count(*) from (select 1 from main.outbox_queue where destination = ?1"
               " and state in (0, 2) and due_at_ms <= ?2 limit 1)") > 0;
}

std::int64_t Queue::remaining_count(core::Instant now) {
  return count(now,
               "select count(*) from main.outbox_queue where destination = ?1"
               " and state in (0, 2) and due_at_ms <= ?2") +
         count(now,
               "select count(*) from main.outbox_queue where destination = ?1 and state = 3"
               " and ?2 is not null");
}

std::int64_t Queue::count(core::Instant now, const char* sql) {
  Statement rows{db_, sql, look_action};
  rows.bind(1, destination_).bind(2, core::unix_ms(now)).step();
  return rows.integer(0);
}

std::vector<core::QueuedEvent> Queue::expired(core::Instant due_before, core::Instant now,
                                              std::size_t events_max, const Claims& claims) {
  std::vector<core::QueuedEvent> found;
  // Walks one range until it has met some young rows without an old one between them, so that the
  // cost is that of what has expired. What a person has asked for again is young, and stands before
  // older ones.
  constexpr int young_max = 1'000;
  constexpr int due_column = 1;
  constexpr int enqueued_column = 2;
  const auto walk = [&](core::QueueState state, const std::string& range, int time_column) {
    Statement rows{db_,
                   "select event, due_at_ms, enqueued_at_ms, ordering_key from main.outbox_queue"
                   " where destination = ?1 and state = ?2 and " +
                       range,
                   look_action};
    rows.bind(1, destination_).bind(2, static_cast<std::int64_t>(state));
    int young = 0;
    for (std::size_t looks = 0; looks < rows_max && found.size() < events_max && rows.step();
         ++looks) {
      const core::Instant since = core::instant_of(rows.integer(time_column));
      if (since > now && time_column == due_column) return;  // nor is anything behind it due
      if (since > now) continue;  // it comes from a clock that jumped, and says nothing
      if (since >= due_before) {
        if (++young == young_max) return;
        continue;
      }
      young = 0;
      if (claims.contains(rows.integer(0))) continue;
      found.push_back({.id = rows.integer(0),
                       .state = state,
                       .due_at_ms = rows.integer(1),
                       .enqueued_at_ms = rows.integer(2),
                       .ordering_key = rows.text(3)});
    }
  };
  using core::QueueState;
  for (const QueueState state : {QueueState::ready, QueueState::waiting, QueueState::in_search}) {
    walk(state, "due_at_ms = 0 order by event", enqueued_column);
    walk(state, "due_at_ms > 0 order by due_at_ms", due_column);
  }
  // A suspect's due time is its next try.
  walk(QueueState::suspect, "true order by enqueued_at_ms", enqueued_column);
  std::sort(found.begin(), found.end(),
            [](const auto& left, const auto& right) { return left.id < right.id; });
  return found;
}

}  // namespace outbox::storage

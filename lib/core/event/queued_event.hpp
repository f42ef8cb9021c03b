#pragma once

// Where an event stands in the queue.

#include <cstdint>
#include <string>

namespace outbox::core {

/// The states of a row in the queue, as they are stored.
/// NOTE: the values are part of the format on disk; never change them.
enum class QueueState : std::int64_t {
  ready = 0,
  waiting = 1,    // behind an earlier event of its ordering key
  in_search = 2,  // a search for the guilty event of a request is about it
  suspect = 3,    // refused or failed alone, not yet judged
  dead = 4,
  discarded = 5,
};

/// An event and its row in the queue, without the payload.
struct QueuedEvent {
  std::int64_t id = 0;
  QueueState state = QueueState::ready;
  std::int64_t due_at_ms = 0;  // with `state` and `id` the row's primary key
  // Guards changes: a restored file may have another event here. It moves when a person asks for
  // the event again, and when a search begins that forgets its due time.
  std::int64_t enqueued_at_ms = 0;
  std::int64_t stored_at_ms = 0;  // when it was enqueued, as the log has it: that never moves
  std::string ordering_key = {};
};

/// What guards a change of the row.
inline bool are_same_row(const QueuedEvent& left, const QueuedEvent& right) {
  return left.id == right.id && left.state == right.state && left.due_at_ms == right.due_at_ms &&
         left.enqueued_at_ms == right.enqueued_at_ms;
}

}  // namespace outbox::core

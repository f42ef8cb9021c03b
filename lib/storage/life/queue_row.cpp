#include "storage/life/queue_row.hpp"

namespace outbox::storage {

// An event that is ready, waits or was never touched has its own due time or 0; one that is in a
// search, dead or discarded has 0; a suspect has the time of its next try.
FindQueued::FindQueued(sqlite3* db)
    : row_{db,
           "select q.event, q.state, q.due_at_ms, q.enqueued_at_ms, q.ordering_key,"
           " e.enqueued_at_ms"
           " from main.outbox_events e cross join main.outbox_queue q"
           " on q.destination = e.destination and q.state in (0, 1, 2, 4, 5)"
           " and q.due_at_ms in (0, e.due_at_ms) and q.event = e.id where e.id = ?1"
           " union all"
           " select q.event, q.state, q.due_at_ms, q.enqueued_at_ms, q.ordering_key,"
           " e.enqueued_at_ms"
           " from main.outbox_events e cross join main.outbox_queue q"
           " on q.destination = e.destination and q.state = 3 and q.event = e.id"
           " where e.id = ?1 limit 1",
           "find an event"} {}

std::optional<core::QueuedEvent> FindQueued::operator()(std::int64_t id) {
  const ResetAtEnd end{row_};
  if (!row_.bind(1, id).step()) return std::nullopt;
  return core::QueuedEvent{.id = row_.integer(0),
                           .state = core::QueueState{row_.integer(1)},
                           .due_at_ms = row_.integer(2),
                           .enqueued_at_ms = row_.integer(3),
                           .stored_at_ms = row_.integer(5),
                           .ordering_key = row_.text(4)};
}

std::optional<core::QueuedEvent> find_queued(sqlite3* db, std::int64_t id) {
  return FindQueued{db}(id);
}

std::optional<core::QueuedEvent> find_queued(sqlite3* db, std::int64_t id,
                                             const std::string& destination) {
  Statement own{db, "select 1 from main.outbox_events where id = ?1 and destination = ?2",
                "find an event"};
  const bool is_own = own.bind(1, id).bind(2, std::string_view{destination}).step();
  return is_own ? find_queued(db, id) : std::nullopt;
}

Statement& bind_row(Statement& statement, const std::string& destination,
                    const core::QueuedEvent& event) {
  return statement.bind(1, std::string_view{destination})
      .bind(2, static_cast<std::int64_t>(event.state))
      .bind(3, event.due_at_ms)
      .bind(4, event.id);
}

NextOfKey::NextOfKey(sqlite3* db)
    : free_{db,
            "update main.outbox_queue indexed by outbox_queue_keys set state = 0"
            " where destination = ?1 and ordering_key = ?2 and state < 4 and state = 1"
            " and event = (select min(event) from main.outbox_queue indexed by outbox_queue_keys"
            " where destination = ?1 and ordering_key = ?2 and state < 4)"
            " and (?3 or not exists (select 1 from main.outbox_destinations d, main.outbox_queue b"
            " indexed by outbox_queue_dead_keys where d.name = ?1 and d.block_on_dead"
            " and b.destination = ?1 and b.ordering_key = ?2 and b.state = 4"
            " and b.event < outbox_queue.event)) returning event",
            "let an event of a key go", Use::often} {}

std::optional<std::int64_t> NextOfKey::free(const std::string& destination, const std::string& key,
                                            Dead dead) {
  if (key.empty()) return std::nullopt;
  const ResetAtEnd end{free_};
  std::optional<std::int64_t> freed;
  free_.bind(1, std::string_view{destination})
      .bind(2, std::string_view{key})
      .bind(3, std::int64_t{dead == Dead::let_pass});
  if (free_.step()) {
    freed = free_.integer(0);
  }
  free_.run();
  return freed;
}

}  // namespace outbox::storage

#pragma once

// One row of the queue: finding it by its event, and letting the next event of a key go.

#include <cstdint>
#include <optional>
#include <string>

#include "core/event/queued_event.hpp"
#include "storage/sqlite/statement.hpp"

struct sqlite3;

namespace outbox::storage {

/// The row of event `id` in the queue; none: it is delivered, or there is no such event.
///
/// The queue has no index by event, which each enqueue and each mark would pay for. Where the row
/// can be follows from its state, so that this takes a few look-ups; for a suspect without an
/// ordering key it reads the suspects. Throws: `database_error`.
std::optional<core::QueuedEvent> find_queued(sqlite3* db, std::int64_t id);
/// The same, while the event is of `destination`: none also when a person has moved it to another
/// one.
std::optional<core::QueuedEvent> find_queued(sqlite3* db, std::int64_t id,
                                             const std::string& destination);
/// The same for many events, prepared once. Lifetime: as a `Statement`.
class FindQueued {
 public:
  explicit FindQueued(sqlite3* db);
  std::optional<core::QueuedEvent> operator()(std::int64_t id);

 private:
  Statement row_;
};

/// Binds ?1 to ?4 of `statement`, the whole key of a row: destination, state, due time, event.
Statement& bind_row(Statement& statement, const std::string& destination,
                    const core::QueuedEvent& event);

/// Whether a dead event before it holds an event back.
enum class Dead { as_row_says, let_pass };

/// Makes the first undelivered event of a key ready if it waits: what it waited for has left.
/// Called in the same transaction by whatever takes an event with a key away or lets it go: nothing
/// else wakes a waiting event. Calling it once too often changes nothing.
///
/// Requires: a write transaction is open. Throws: `database_error`. Threads: its connection's.
class NextOfKey {
 public:
  explicit NextOfKey(sqlite3* db);

  /// Returns the event that it made ready; none: there was none, or `key` is empty.
  std::optional<std::int64_t> free(const std::string& destination, const std::string& key,
                                   Dead dead = Dead::as_row_says);

 private:
  Statement free_;
};

}  // namespace outbox::storage

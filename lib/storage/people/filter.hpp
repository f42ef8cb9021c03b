#pragma once

// Which events? The names of their states, and an EventFilter as SQL.

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/event/id_ranges.hpp"
#include "core/event/queued_event.hpp"
#include "outbox/inspect.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// Throws `std::invalid_argument` for a destination that cannot be, a time out of range, and a time
/// span in which nothing can be.
void require_filter(const EventFilter& filter);

/// The handle of a connection, once its schema and the filter have been checked.
/// Throws: `schema_error`, `std::invalid_argument`, `database_error`.
sqlite3* readable(ConnectionRef connection, const EventFilter& filter = {});

using EventStates = std::vector<EventState>;

/// Unix milliseconds, as SQL: the first that is not before `instant`.
std::string ms_text(std::chrono::system_clock::time_point instant);

/// What people call the state of an event in the queue, the narrowest that fits.
EventState event_state(core::QueueState state, std::int64_t due_at_ms, core::Instant now);

/// The states in the queue of which an event in `state` has one; none: it is delivered.
std::vector<core::QueueState> queue_states(EventState state);

/// Whether `narrow`, from `event_state`, is a part of `wide`: pending holds all that is
/// undelivered.
bool is_part_of(EventState narrow, EventState wide);

/// The destinations in the queue, each found by a look-up of its own: SQL for one column.
inline constexpr auto queued_destinations =
    "with recursive d (name) as (select min(destination) from main.outbox_queue union all"
    " select (select min(destination) from main.outbox_queue where destination > d.name) from d"
    " where d.name is not null) select name from d where name is not null";

/// A part of the payload of `e`, for a statement; null for what is no JSON, which plain SQL may
/// have stored.
std::string field_sql(const std::string& path);

/// Some events: SQL for the brackets of `e.id in (…)`, with the values that are bound to it.
class Chosen {
 public:
  explicit Chosen(const core::Ids& ids);
  /// The events in one of `states` (none: in any) that `filter` lets through, but for its
  /// state: the part that `options` says. With a state its cost grows
  /// with what is undelivered; without one, or for delivered events, with the log up to the limit.
  Chosen(const EventStates& states, const EventFilter& filter, const ListOptions& options,
         core::Instant now);

  const std::string& sql() const { return sql_; }
  /// Whether `sql` is a list of ids, and not a query.
  bool are_named() const { return are_named_; }
  /// Binds the values to the first parameters of `statement`, which must not outlive this.
  void bind(Statement& statement) const;

 private:
  void say(const std::string& condition);
  void say_equal(const std::string& column, const std::string& value);
  void say_states(const EventStates& states, core::Instant now);

  std::string sql_;
  bool are_named_ = false;
  std::vector<std::string> values_ = {};
};

}  // namespace outbox::storage

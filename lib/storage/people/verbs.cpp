// The public functions of outbox/operate.hpp that change rows where they are.

#include "outbox/operate.hpp"

#include <stdexcept>

#include "core/clock.hpp"
#include "core/event/enqueue_options.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "storage/life/destination_row.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/people/change.hpp"
#include "storage/people/selection.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

struct Verb {
  const char* action;
  EventStates usual;     // what it changes without a state in the filter
  EventStates possible;  // with one, and when events are named by id
  const char* change;    // of the row ?1 to ?4
  bool keeps_reason;     // as ?6; ?5 is now
  Probe probe;
};

const Verb retrying{.action = "retry",
                    .usual = {EventState::dead, EventState::retrying},
                    .possible = {EventState::dead, EventState::retrying, EventState::scheduled,
                                 EventState::discarded},
                    .change =
                        "update main.outbox_queue set state = 0, due_at_ms = 0, refusals = null,"
                        " solo_failures = null, refused_in = null, search = null,"
                        " settled_at_ms = null, last_error = null, enqueued_at_ms = ?5",
                    .keeps_reason = false,
                    .probe = Probe::asked};

const Verb discarding{.action = "discard",
                      .usual = {EventState::pending, EventState::dead},
                      .possible = {EventState::pending, EventState::scheduled, EventState::waiting,
                                   EventState::retrying, EventState::dead},
                      .change =
                          "update main.outbox_queue set state = 5, due_at_ms = 0,"
                          " settled_at_ms = ?5, last_error = ?6",
                      .keeps_reason = true,
                      .probe = Probe::none};

// Changes those of `ids` that are still in one of the states `names`.
Tally change_chunk(sqlite3* db, const Verb& verb, const EventStates& names, const core::Ids& ids,
                   const std::string& reason, core::Instant now) {
  Statement change{db,
                   std::string{verb.change} +
                       " where destination = ?1 and state = ?2 and due_at_ms = ?3 and event = ?4",
                   verb.action};
  KeysLeft keys;
  Tally tally;
  for (const EventRow& row : read_rows(db, Chosen{ids})) {
    if (!is_in(row, names, now)) continue;
    bind_row(change, row.destination, *row.queued).bind(5, core::unix_ms(now));
    if (verb.keeps_reason) change.bind(6, std::string_view{reason});
    change.run();
    tally[row.destination].events += sqlite3_changes(db);
    keys.add(row);
  }
  keys.free_next(db);
  return tally;
}

std::int64_t change_events(sqlite3* db, const Verb& verb, const Selection& selection,
                           const ChangeNote& note, Mode mode, const Progress& progress) {
  require_selection(selection, verb.action);
  const EventStates names = names_of(selection, verb.usual, verb.possible, verb.action);
  const core::Instant now = core::system_now();
  BulkChange bulk{db, note_of(verb.action, selection, note), verb.probe, progress};
  const std::string reason = core::sanitised("discarded: " + note.reason, core::error_bytes_max);
  return bulk.run_all(resolve(db, selection, names, now), mode, [&](const core::Ids& chunk) {
    return change_chunk(db, verb, names, chunk, reason, now);
  });
}

// Makes the row first, and tells the audit if `note` names an action. `update` knows ?1 as the
// name, ?2 as now and ?3 as the reason, null if empty.
void change_destination(sqlite3* db, const std::string& name, const char* update,
                        const AuditNote& note) {
  core::require_destination_name(name);
  while_busy([db] { require_schema(db); });
  const std::string reason = core::sanitised(note.note.reason, core::error_bytes_max);
  constexpr auto action = "change the destination";
  change_atomically(db, action, [&] {
    make_destination(db, name, action);
    Statement{db, update, action}
        .bind(1, std::string_view{name})
        .bind(2, core::unix_ms(core::system_now()))
        .bind(3, text_or_null(reason))
        .run();
    if (!note.action.empty()) write_audit(db, note, 0);
  });
}

}  // namespace
}  // namespace storage

inline namespace v1 {

std::int64_t retry(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                   Mode mode, const Progress& progress) {
  return storage::change_events(connection.handle(), storage::retrying, selection, note, mode,
                                progress);
}

std::int64_t discard(ConnectionRef connection, const Selection& selection, const ChangeNote& note,
                     Mode mode, const Progress& progress) {
  if (core::trimmed(note.reason).empty())
    throw std::invalid_argument{"outbox: discard: a reason is required"};
  return storage::change_events(connection.handle(), storage::discarding, selection, note, mode,
                                progress);
}

void nudge(ConnectionRef connection, const std::string& destination) {
  storage::change_destination(connection.handle(), destination,
                              "update main.outbox_destinations set probes_asked = probes_asked + 1"
                              " where name = ?1 and ?2 > 0 and ?3 is null",
                              {});
}

void pause(ConnectionRef connection, const std::string& destination, const ChangeNote& note) {
  storage::change_destination(connection.handle(), destination,
                              "update main.outbox_destinations set"
                              " paused_reason = coalesce(?3, paused_reason),"
                              " paused_at_ms = coalesce(paused_at_ms, ?2) where name = ?1",
                              {.action = "pause", .destination = destination, .note = note});
}

void resume(ConnectionRef connection, const std::string& destination, const ChangeNote& note) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set paused_reason = null, paused_at_ms = null,"
      " probes_asked = probes_asked + 1 where name = ?1 and ?2 > 0 and ?3 is null",
      {.action = "resume", .destination = destination, .note = note});
}

}  // namespace v1
}  // namespace outbox

#include "storage/people/selection.hpp"

#include <algorithm>
#include <stdexcept>

#include "storage/people/change.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

// A destination alone chooses nothing.
bool is_empty(const EventFilter& filter) {
  return filter == EventFilter{.destination = filter.destination};
}

[[noreturn]] void refuse(const char* action, const std::string& problem) {
  throw std::invalid_argument{"outbox: " + std::string{action} + ": " + problem};
}

}  // namespace

void require_selection(const Selection& selection, const char* action) {
  const EventFilter& filter = selection.filter();
  require_filter(filter);
  using Kind = Selection::Kind;
  const bool has_ids = !selection.event_ids().empty();
  const bool names_none = selection.kind() == Kind::ids ? !has_ids : is_empty(filter);
  if (names_none && selection.kind() != Kind::all) {
    refuse(action, "give ids, a filter, or all of them (--all)");
  }
}

EventStates names_of(const Selection& selection, const EventStates& usual,
                     const EventStates& possible, const char* action) {
  if (!selection.event_ids().empty()) return possible;
  if (!selection.filter().state) return usual;
  const EventState wanted = *selection.filter().state;
  if (std::find(possible.begin(), possible.end(), wanted) != possible.end()) return {wanted};
  // A retry of pending events is one of those that are retrying: a scheduled one would lose its
  // time, and has to be named.
  EventStates parts;
  for (const EventState state : possible) {
    if (state != EventState::scheduled && is_part_of(state, wanted)) parts.push_back(state);
  }
  if (!parts.empty()) return parts;
  const bool is_delivered = wanted == EventState::delivered;
  refuse(action, std::string{"not for "} + to_string(wanted) + " events" +
                     (is_delivered ? "; requeue sends them again" : ""));
}

bool is_in(const EventRow& row, const EventStates& names, core::Instant now) {
  if (!row.queued) return false;
  const EventState narrow = event_state(row.queued->state, row.queued->due_at_ms, now);
  return std::any_of(names.begin(), names.end(),
                     [narrow](EventState name) { return is_part_of(narrow, name); });
}

core::Ids resolve(sqlite3* db, const Selection& selection, const EventStates& names,
                  core::Instant now) {
  return while_busy([&] {
    core::Ids ids;
    if (selection.event_ids().empty()) {
      const Chosen chosen{names, selection.filter(), {.limit = selection.limit()}, now};
      Statement rows{db, chosen.sql(), "choose events"};
      chosen.bind(rows);
      while (rows.step()) ids.push_back(rows.integer(0));
      return ids;
    }
    const std::string& destination = selection.filter().destination;
    for_each_chunk(distinct(selection.event_ids()), [&](const core::Ids& chunk) {
      for (const EventRow& row : read_rows(db, Chosen{chunk})) {
        const bool is_elsewhere = !destination.empty() && row.destination != destination;
        if (!is_elsewhere && is_in(row, names, now)) ids.push_back(row.id);
      }
    });
    return ids;
  });
}

}  // namespace outbox::storage

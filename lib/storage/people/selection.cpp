#include "storage/people/selection.hpp"

#include <algorithm>
#include <stdexcept>

#include "storage/people/change.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

// A destination or a limit alone chooses nothing.
bool is_empty(const EventFilter& filter) {
  return filter.state.empty() && filter.event_name.empty() && filter.user_id.empty() &&
         filter.group_id.empty() && filter.error.empty() && !filter.since && !filter.until &&
         !filter.settled_since;
}

[[noreturn]] void refuse(const char* action, const std::string& problem) {
  throw std::invalid_argument{"outbox: " + std::string{action} + ": " + problem};
}

}  // namespace

void require_selection(const Selection& selection, const char* action) {
  const EventFilter& filter = selection.filter();
  require_filter(filter);
  if (filter.after_id) refuse(action, "after_id: is for listing only");
  if (selection.event_ids().empty() && is_empty(filter) && !selection.is_all()) {
    refuse(action, "give ids, a filter, or all");
  }
  if (!selection.event_ids().empty() && (!is_empty(filter) || filter.limit || selection.is_all())) {
    refuse(action, "ids and a filter: give one of them");
  }
}

StateNames names_of(const Selection& selection, const StateNames& usual, const StateNames& possible,
                    const char* action) {
  if (!selection.event_ids().empty()) return possible;
  if (selection.filter().state.empty()) return usual;
  const StateName wanted = state_named(selection.filter().state);
  if (std::find(possible.begin(), possible.end(), wanted) != possible.end()) return {wanted};
  StateNames names;  // a retry of pending events: of those that are scheduled or retrying
  for (const StateName name : possible) {
    if (is_part_of(name, wanted)) names.push_back(name);
  }
  if (!names.empty()) return names;
  const bool is_delivered = wanted == StateName::delivered;
  refuse(action, "not for " + selection.filter().state + " events" +
                     (is_delivered ? "; requeue sends them again" : ""));
}

bool is_in(const EventRow& row, const StateNames& names, core::Instant now) {
  if (!row.queued) return false;
  const StateName narrow = name_of(row.queued->state, row.queued->due_at_ms, now);
  return std::any_of(names.begin(), names.end(),
                     [narrow](StateName name) { return is_part_of(narrow, name); });
}

core::Ids resolve(sqlite3* db, const Selection& selection, const StateNames& names,
                  core::Instant now) {
  return while_busy([&] {
    core::Ids ids;
    if (selection.event_ids().empty()) {
      const Chosen chosen{names, selection.filter(), now};
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

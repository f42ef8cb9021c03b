#pragma once

// What a person has chosen, resolved to ids once. Whether an event is still in the state in which
// it was chosen is asked again when it is changed.

#include "core/clock.hpp"
#include "outbox/operate.hpp"
#include "storage/people/events.hpp"
#include "storage/people/filter.hpp"

struct sqlite3;

namespace outbox::storage {

/// Throws: `std::invalid_argument` for a selection that is empty, or is of two kinds.
void require_selection(const Selection& selection, const char* action);

/// The states that a change is about: `usual` ones, of those `possible` the ones that the selection
/// names, or all of them for events that are named by id. Throws: `std::invalid_argument` for a
/// state that the change does not concern.
EventStates names_of(const Selection& selection, const EventStates& usual,
                     const EventStates& possible, const char* action);

/// Whether an event is in one of the states `names`. A delivered one is in none that is in the
/// queue.
bool is_in(const EventRow& row, const EventStates& names, core::Instant now);

/// The events that were chosen and are in one of the states `names`, in commit order.
/// Throws: `database_error`.
core::Ids resolve(sqlite3* db, const Selection& selection, const EventStates& names,
                  core::Instant now);

}  // namespace outbox::storage

#pragma once

// Reading single events and requests, for people.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/explain.hpp"
#include "outbox/inspect.hpp"

struct sqlite3;

namespace outbox::storage {

// The functions of outbox/inspect.hpp on a schema that has been checked.
// Throws: `database_error`.

std::vector<EventSummary> read_events(sqlite3* db, const EventFilter& filter, core::Instant now);
std::optional<EventDetail> read_event(sqlite3* db, std::int64_t id, core::Instant now);
std::vector<BatchSummary> read_batches(sqlite3* db, const std::string& destination,
                                       std::size_t limit);

/// The nearest earlier event that holds back this one by its ordering key; none: there is none.
std::optional<core::Blocker> blocker_in_key(sqlite3* db, const EventDetail& event);

/// Whether a search for the guilty event of a batch has it in doubt.
bool is_in_search(sqlite3* db, const EventSummary& event);

/// How many due events of its destination are before this one.
std::int64_t due_before(sqlite3* db, const EventSummary& event, core::Instant now);

}  // namespace outbox::storage

#pragma once

// What a move does to the tables. outbox/operate.hpp tells its contract and errors.

#include <optional>
#include <string>

#include "core/clock.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

/// `rests_since` is when a dispatcher of `from` that is at work was paused; none: there is
/// none, and none may begin.
MoveReport move_events(sqlite3* db, const std::string& from, const std::string& to,
                       const ChangeNote& note, Mode mode, const Progress& progress,
                       std::optional<core::Instant> rests_since);

}  // namespace outbox::storage

#pragma once

// What a move and a pruning do to the tables, for the functions of outbox/operate.hpp, which tells
// their contracts and errors.

#include <cstdint>
#include <functional>
#include <string>

#include "core/clock.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

// move.cpp: `rests_since` is when a dispatcher of `from` that is at work was paused; none: there is
// none, and none may begin
MoveReport move_events(sqlite3* db, const std::string& from, const std::string& to,
                       const ChangeNote& note, Mode mode, const Progress& progress,
                       std::optional<core::Instant> rests_since);

// prune.cpp: on a connection of the library's own
std::int64_t prune(sqlite3* db, const PruneOptions& options, const ChangeNote& note, Mode mode,
                   core::Instant now, const Progress& progress);

}  // namespace outbox::storage

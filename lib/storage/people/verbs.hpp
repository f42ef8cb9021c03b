#pragma once

// What people do to events and destinations: the functions of outbox/operate.hpp, which tells their
// contracts and errors.

#include <cstdint>
#include <functional>
#include <string>

#include "core/clock.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

// verbs.cpp
void nudge(sqlite3* db, const std::string& destination);
void pause(sqlite3* db, const std::string& destination, const ChangeNote& note);
void resume(sqlite3* db, const std::string& destination, const ChangeNote& note);
std::int64_t retry(sqlite3* db, const Selection& selection, const ChangeNote& note, Mode mode,
                   const Progress& progress = {});
std::int64_t discard(sqlite3* db, const Selection& selection, const ChangeNote& note, Mode mode,
                     const Progress& progress = {});

// requeue.cpp
std::int64_t requeue(sqlite3* db, const Selection& selection, const ChangeNote& note, Mode mode,
                     const Progress& progress = {});

// move.cpp: `rests_since` is when a dispatcher of `from` that is at work was paused; none: there is
// none, and none may begin
MoveReport move_events(sqlite3* db, const std::string& from, const std::string& to,
                       const ChangeNote& note, Mode mode, const Progress& progress,
                       std::optional<core::Instant> rests_since);

// prune.cpp: on a connection of the library's own
std::int64_t prune(sqlite3* db, const PruneOptions& options, const ChangeNote& note, Mode mode,
                   core::Instant now, const Progress& progress = {});

}  // namespace outbox::storage

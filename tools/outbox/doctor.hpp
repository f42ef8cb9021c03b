#pragma once

// What `doctor` looks at beside the database itself.

#include <string>
#include <vector>

#include "globals.hpp"
#include "outbox/inspect.hpp"
#include "sending.hpp"

namespace cli {

using Findings = std::vector<outbox::Finding>;

/// SQLite's version, and the settings of the database.
void look_at_settings(SQLite::Database& db, Findings& findings);
/// Owner and modes of the database and the files beside it; the WAL, and who has it open.
void look_at_files(const Globals& globals, Findings& findings);
/// The token that `flags` name: whether it can be read, and, of a JWT, until when it is good.
void look_at_token(const SendingFlags& flags, Findings& findings);
/// Holds, pauses, dispatchers and dead letters.
void look_at_destinations(SQLite::Database& db, const Globals& globals, Findings& findings);
/// The clock of this machine against the times in the request log.
void look_at_clock(SQLite::Database& db, Findings& findings);

}  // namespace cli

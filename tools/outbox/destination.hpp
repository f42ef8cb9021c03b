#pragma once

// The destination that a command is about, and what makes it an unlikely one.

#include <CLI/CLI.hpp>
#include <string>

#include "globals.hpp"
#include "outbox/inspect.hpp"

namespace cli {

/// How `name` is; without events and without a row, all is zero.
outbox::DestinationStatus status_of(SQLite::Database& db, const std::string& name);

/// Why `name` may be a typing mistake; empty: it is known.
std::string doubt_about(SQLite::Database& db, const std::string& name);

/// `--new`, for the commands that would make a destination by naming it.
void add_new_flag(CLI::App& command, bool& is_new);

/// How the destination of a command that sends is, without counts. Throws: `Failure` when
/// `--destination` names one that has neither events nor a row, unless `is_new`: it is a typo. The
/// default is none.
outbox::DestinationStatus require_known(SQLite::Database& db, const Globals& globals, bool is_new);

/// The same for a command that changes what is there, and makes no destination.
outbox::DestinationStatus require_there(SQLite::Database& db, const Globals& globals);

/// Throws: `Failure` (nothing matched) when `--destination` names one that was never used: what a
/// command would read of it looks like peace.
void require_used(SQLite::Database& db, const Globals& globals);

}  // namespace cli

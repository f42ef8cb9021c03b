#pragma once

// The app's own code: one commit, two places.

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace app {

/// The app's table and the outbox's; safe to repeat.
void create_schema(SQLite::Database& db);

/// Stores an invite, and tells ThriveStack (the destination "track") and the app's other services
/// (the destination "events") of it. All of it commits, or nothing.
void invite(SQLite::Database& db, const std::string& inviter, const std::string& account,
            const std::string& email);

}  // namespace app

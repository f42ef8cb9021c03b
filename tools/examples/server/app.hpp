#pragma once

// The app's own code: what it stores, and which events that is.

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace app {

/// A connection of the calling thread's own, set up as a server wants it.
SQLite::Database open(const std::string& path);

/// The app's tables and the outbox's; safe to repeat.
void create_schema(SQLite::Database& db);

struct SignUp {
  std::string user_id, email, name;
  std::string account_id, account_name;
};

/// Stores a user with an account of their own, and tells analytics in the documented order: who the
/// user is, what the account is, and that the user has signed up. Throws: `SQLite::Exception` when
/// the user is there already; then nothing is stored and nothing is told.
void sign_up(SQLite::Database& db, const SignUp& who);

/// Stores an invite and its event, and a reminder that analytics gets a week later. Inviting the
/// same person again is no second event.
void invite(SQLite::Database& db, const std::string& inviter, const std::string& account_id,
            const std::string& email);

}  // namespace app

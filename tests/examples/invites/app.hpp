#pragma once

// The app's own code that docs/testing.md tests.

#include <sqlite3.h>

#include <outbox/outbox.hpp>
#include <stdexcept>
#include <string>

// Saves an invite and its event, both or neither. An address may be invited once.
inline void invite(sqlite3* db, const std::string& inviter, const std::string& email) {
  const auto run = [db](const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error{sqlite3_errmsg(db)};
    }
  };
  run("begin immediate");
  try {
    run("create table if not exists invites (email text primary key)");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(db, "insert into invites values (?)", -1, &insert, nullptr);
    sqlite3_bind_text(insert, 1, email.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_step(insert);
    if (sqlite3_finalize(insert) != SQLITE_OK) throw std::runtime_error{"already invited"};
    outbox::enqueue(db, outbox::InviteSent{.user_id = inviter, .invitee = {.email = email}});
    run("commit");
  } catch (...) {
    run("rollback");
    throw;
  }
}

#pragma once

// The right to be forgotten, as far as it is the tables' business.

#include <set>
#include <string>

#include "core/doubt.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

/// What was erased.
struct Erased {
  core::Ids ids = {};
  std::set<std::string> pending_in = {};  // destinations that may have sent one of them just now
};

/// Deletes every event about `subject`, in short transactions; with `Run::dry` only finds them.
/// Requires: secure_delete is on. Throws: `schema_error`, `database_error`.
Erased erase_events(sqlite3* db, const Subject& subject, const ChangeNote& note, Run run);

/// Takes away what the endpoint said of requests that held one of `ids`, and of holds: it may quote
/// them.
void forget_answers(sqlite3* db, const Erased& erased);

/// Moves the WAL into the database and cuts it to nothing. False: someone reads or writes. Waits
/// for them as long as the connection's busy handler.
bool truncate_wal(sqlite3* db);

}  // namespace outbox::storage

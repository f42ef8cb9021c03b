#pragma once

// The row that a destination has once a dispatcher or a person has touched it.

#include <string>

struct sqlite3;

namespace outbox::storage {

/// Makes the row if it is not there. Requires: a write transaction or savepoint is open.
void make_destination(sqlite3* db, const std::string& name, const char* action);

}  // namespace outbox::storage

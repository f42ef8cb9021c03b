#pragma once

// Is the file as it should be? What `outbox doctor` asks of the database.

#include <vector>

#include "outbox/inspect.hpp"

struct sqlite3;

namespace outbox::storage {

/// As `outbox::diagnose`. Requires: the schema is there.
std::vector<Finding> diagnose(sqlite3* db);

}  // namespace outbox::storage

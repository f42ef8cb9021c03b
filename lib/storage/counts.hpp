#pragma once

// The numbers of `status`, straight from the tables.

#include <string>

#include "core/clock.hpp"
#include "outbox/inspect.hpp"

struct sqlite3;

namespace outbox::storage {

/// The status of the queue but for the dispatchers, of which the database knows nothing. Costs what
/// the undelivered events cost; delivered ones are never counted.
/// Throws: `schema_error`, `database_error`.
Status read_status(sqlite3* db, const std::string& destination, core::Instant now);

}  // namespace outbox::storage

#pragma once

#include "outbox/inspect.hpp"
#include "storage/people/filter.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {
inline namespace v1 {

/// The handle of a connection, once its schema and the filter have been checked.
/// Throws: `schema_error`, `std::invalid_argument`, `database_error`.
inline sqlite3* readable(ConnectionRef connection, const EventFilter& filter = {}) {
  storage::require_filter(filter);
  storage::while_busy([&] { storage::require_schema(connection.handle()); });
  return connection.handle();
}

}  // namespace v1
}  // namespace outbox

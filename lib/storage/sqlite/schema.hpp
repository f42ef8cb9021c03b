#pragma once

// Is this database ready for this library?

struct sqlite3;

namespace outbox::storage {

/// Throws: `schema_error` when `main` is not migrated, or is newer than this library;
/// `database_error`.
void require_schema(sqlite3* db);

}  // namespace outbox::storage

#pragma once

// Is the file whole, the schema the library's, and does each statement of a dispatcher find its
// rows? Throws: `database_error`.

#include "outbox/inspect.hpp"

struct sqlite3;

namespace outbox::storage {

Finding look_at_pages(sqlite3* db);
Finding look_at_schema(sqlite3* db);
Finding look_at_plans(sqlite3* db);

}  // namespace outbox::storage

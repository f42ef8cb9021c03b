#pragma once

// SQLite overwrites the rows it deletes (secure_delete), but not the copies that earlier moves left
// in the unallocated space of its pages: when a page is split, the moved cells stay behind, and the
// root of a table keeps its first rows when it becomes an inner page. Seen with 3.40.1. A page is
// zeroed as a whole when it becomes free, so rows are taken out together and put back.

#include "core/doubt.hpp"

struct sqlite3;

namespace outbox::storage {

/// Rewrites the pages of the events and of the batch log in which copies of the erased events `ids`
/// (ascending) may be left: what surrounds each event, and the root. Each step is a transaction of
/// some 100 ms at most.
///
/// Requires: secure_delete is on, and no transaction is open. Throws: `database_error`.
void rewrite_around(sqlite3* db, const core::Ids& ids);

/// Rewrites the indexes of the keys, which may be made of names. Others cannot write meanwhile,
/// about a second for a million events. Requires and throws: as above.
void rewrite_indexes(sqlite3* db);

}  // namespace outbox::storage

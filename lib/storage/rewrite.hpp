#pragma once

// SQLite overwrites the rows it deletes (secure_delete), but not the copies that earlier moves left
// in the unallocated space of its pages: when a page is split, the moved cells stay behind, and the
// root of a table keeps its first rows when it becomes an inner page. Seen with 3.40.1. A page is
// zeroed as a whole when it becomes free, so rows are taken out together and put back.

#include "core/doubt.hpp"

struct sqlite3;

namespace outbox::storage {

/// Rewrites the pages of the events and of the batch log in which copies of the erased events `ids`
/// (ascending) may be left: whole tables while they are small, also without ids, since an earlier
/// erasure may have been killed; else what surrounds each event. Each step is a short transaction.
///
/// Requires: secure_delete is on, and no transaction is open. Throws: `database_error`.
void rewrite_around(sqlite3* db, const core::Ids& ids);

}  // namespace outbox::storage

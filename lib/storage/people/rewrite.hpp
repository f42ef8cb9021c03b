#pragma once

// SQLite overwrites what it deletes (secure_delete), but not the copies that earlier moves left in
// the unallocated space of its pages: where a page was split or filled again, moved cells stay
// behind, and the root of a table keeps its first rows when it becomes an inner page. Seen with
// 3.40.1. A page is zeroed as a whole when it becomes free. So rows are taken out together, which
// frees their pages, and are put back.
//
// Everything here requires: secure_delete is on, and no transaction is open. Each step is a
// transaction of some ten milliseconds, with a pause after it. Throws: `database_error`.

struct sqlite3;

namespace outbox::storage {

/// After a transaction: lets other writers have the database, and moves the WAL into it, which
/// would grow beside them. On the library's own connection alone.
void let_others_in(sqlite3* db);

/// Rewrites all pages of the log, the request log and the queue, and overwrites the free pages of
/// the file: what retention removed long ago may have left copies, too, and nobody knows where.
void rewrite_pages(sqlite3* db);

/// Rewrites the indexes of the keys, which may be made of names. Others cannot write meanwhile,
/// about a second for a million events with keys.
void rewrite_indexes(sqlite3* db);

}  // namespace outbox::storage

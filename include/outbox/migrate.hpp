#pragma once

// Bringing a database to the library's schema, and asking whether the host gives what an outbox
// needs.

#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

/// Creates or upgrades the outbox's tables in `main`; does nothing when they are current.
///
/// All of it is one transaction: its own, or, when one is open on `connection`, a savepoint in
/// that. Safe to repeat, and safe when several processes race. The database's `user_version`,
/// journal mode and pragmas stay as they are; the outbox keeps its own table `outbox_migrations`.
/// Returns the schema version that the database now has.
/// Throws: `schema_error` when the database is newer than this library, when tables of it are
/// missing or something else bears their names (nothing is changed), or when SQLite is older than
/// 3.37; `database_error` when SQLite refuses or stays busy for 5 s.
/// Threads: the caller's, which must own `connection`.
OUTBOX_API int migrate(ConnectionRef connection);

/// The schema version of the database: 0 when it was never migrated. Reads only.
/// Throws: `database_error`.
[[nodiscard]] OUTBOX_API int migrated_version(ConnectionRef connection);

/// Something that the host should give and does not. A dispatcher is a second writer in the host's
/// database: without these, some of the host's own transactions fail beside it.
struct HostProblem {
  /// Stable: "journal_mode", "locking_mode", "busy_timeout", "synchronous" (when it is OFF),
  /// "triggers" (when they are switched off), "sqlite_json" (no JSON functions), "sqlite_threads"
  /// (it is for a single thread), "sqlite_version"
  /// (with the WAL-reset bug; a distribution may have fixed it).
  std::string name;
  std::string advice;  ///< One sentence for people: what is missing, and how to set it.
};

/// Looks at the settings of `connection` and of its database, and changes nothing. Empty: all is
/// well.
///
/// A busy handler of the host's own cannot be seen from outside; `busy_timeout` is then reported
/// though nothing is missing. Throws: `database_error`. Threads: the caller's, which must own
/// `connection`.
[[nodiscard]] OUTBOX_API std::vector<HostProblem> check_host(ConnectionRef connection);

}  // namespace v1
}  // namespace outbox

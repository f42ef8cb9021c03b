#pragma once

// What people changed: a row a change, without personal data.

#include <cstdint>
#include <string>
#include <vector>

#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

/// One change, as the audit tells of it.
struct AuditNote {
  std::string action = {};
  std::string destination = {};  // empty: several
  std::string subject = {};
  ChangeNote note = {};
};

/// The note on a change of what was selected: "ids 3,5-9", "state=dead, user, since 2026-…".
AuditNote note_of(const char* action, const Selection& selection, const ChangeNote& note);

/// Writes a row; returns its id. Requires: a write transaction is open. Throws: `database_error`.
std::int64_t write_audit(sqlite3* db, const AuditNote& note, std::int64_t events);

/// Adds to the events of a row. Requires and throws: as above.
void add_to_audit(sqlite3* db, std::int64_t id, std::int64_t events);

/// The newest `limit` rows, the newest first; with a `destination`, those that concern it. Throws:
/// `database_error`.
std::vector<AuditEntry> read_audit(sqlite3* db, std::string_view destination, std::size_t limit);

}  // namespace outbox::storage

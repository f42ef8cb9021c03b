#include "outbox/operate.hpp"

#include "core/limits.hpp"
#include "core/names.hpp"
#include "core/text.hpp"
#include "storage/change.hpp"
#include "storage/destinations.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

// Runs one UPDATE of the destination's row (?1: its name, ?2: `text`, null if empty), making it
// first, and tells the audit if `note` names an action.
void change_destination(sqlite3* db, const std::string& name, const char* update,
                        const std::string& text, const AuditNote& note) {
  core::require_destination_name(name);
  while_busy([db] { require_schema(db); });
  change_atomically(db, "change the destination", [&] {
    make_destination(db, name, "change the destination");
    Statement{db, update, "change the destination"}.bind(1, name).bind(2, text_or_null(text)).run();
    if (!note.action.empty()) write_audit(db, note, 0);
  });
}

}  // namespace
}  // namespace storage

inline namespace v0 {

void nudge(ConnectionRef connection, const std::string& destination) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set nudges = nudges + 1 where name = ?1 and ?2 is null", {},
      {});
}

void pause(ConnectionRef connection, const std::string& destination, const std::string& reason,
           const std::string& actor) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set paused_reason = ?2, paused_at_ms ="
      " coalesce(paused_at_ms, cast((julianday('now') - 2440587.5) * 86400000 as integer))"
      " where name = ?1",
      core::sanitised(reason, core::error_bytes_max),
      {.action = "pause", .destination = destination, .note = {actor, reason}});
}

void resume(ConnectionRef connection, const std::string& destination, const std::string& actor) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set paused_reason = null, paused_at_ms = null,"
      " nudges = nudges + 1 where name = ?1 and ?2 is null",
      {}, {.action = "resume", .destination = destination, .note = {actor, {}}});
}

std::vector<AuditEntry> list_audit(ConnectionRef connection, std::size_t limit) {
  using storage::Statement;
  sqlite3* const db = connection.handle();
  return storage::while_busy([&] {
    storage::require_schema(db);
    Statement rows{db,
                   "select id, at_ms, action, actor, destination, subject, events, reason"
                   " from main.outbox_audit order by id desc limit ?1",
                   "read the audit"};
    rows.bind(1, static_cast<std::int64_t>(limit));
    std::vector<AuditEntry> entries;
    while (rows.step()) {
      entries.push_back({.id = rows.integer(0),
                         .at = core::instant_of(rows.integer(1)),
                         .action = rows.text(2),
                         .actor = rows.text(3),
                         .destination = rows.text(4),
                         .subject = rows.text(5),
                         .events = rows.integer(6),
                         .reason = rows.text(7)});
    }
    return entries;
  });
}

}  // namespace v0
}  // namespace outbox

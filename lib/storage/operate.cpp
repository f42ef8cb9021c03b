#include "outbox/operate.hpp"

#include "core/names.hpp"
#include "core/text.hpp"
#include "storage/destinations.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

// Runs one UPDATE of the destination's row (?1: its name, ?2: `text`, null if empty), making it
// first.
void change_destination(sqlite3* db, const std::string& name, const char* update,
                        const std::string& text, const char* action) {
  core::require_destination_name(name);
  while_busy([db] { require_schema(db); });
  change_atomically(db, action, [&] {
    make_destination(db, name, action);
    Statement{db, update, action}.bind(1, name).bind(2, text_or_null(text)).run();
  });
}

}  // namespace
}  // namespace storage

inline namespace v0 {

void nudge(ConnectionRef connection, const std::string& destination) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set nudges = nudges + 1 where name = ?1 and ?2 is null", {},
      "nudge");
}

void pause(ConnectionRef connection, const std::string& destination, const std::string& reason) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set paused_reason = ?2, paused_at_ms ="
      " coalesce(paused_at_ms, cast((julianday('now') - 2440587.5) * 86400000 as integer))"
      " where name = ?1",
      core::sanitised(reason, 256), "pause");
}

void resume(ConnectionRef connection, const std::string& destination) {
  storage::change_destination(
      connection.handle(), destination,
      "update main.outbox_destinations set paused_reason = null, paused_at_ms = null,"
      " nudges = nudges + 1 where name = ?1 and ?2 is null",
      {}, "resume");
}

}  // namespace v0
}  // namespace outbox

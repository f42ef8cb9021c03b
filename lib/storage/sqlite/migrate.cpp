#include "outbox/migrate.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/clock.hpp"
#include "outbox/errors.hpp"
#include "outbox/version.hpp"
#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr int sqlite_version_min = 3'037'000;  // STRICT tables

// A view in place of a table can be an endless query, and one of a virtual table (which has no root
// page) anything. Returns the names of the library's own tables that are not there.
std::vector<std::string> missing_tables(sqlite3* db) {
  std::vector<std::string> missing = {"outbox_migrations",   "outbox_events",   "outbox_queue",
                                      "outbox_destinations", "outbox_requests", "outbox_audit"};
  Statement rows{db,
                 "select name, type = 'table' and rootpage > 0 from main.sqlite_schema"
                 " where name in ('outbox_migrations', 'outbox_events', 'outbox_queue',"
                 " 'outbox_destinations', 'outbox_requests', 'outbox_audit')"
                 " and type <> 'trigger'",
                 "read the schema"};
  while (rows.step()) {
    if (rows.integer(1) == 0) {
      throw schema_error{"outbox: " + rows.text(0) +
                         " is not an ordinary table: something else than outbox has made it"};
    }
    std::erase(missing, rows.text(0));
  }
  return missing;
}

void refuse_missing(const std::vector<std::string>& missing) {
  if (missing.empty()) return;
  std::string names;
  for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
  throw schema_error{"outbox: without " + names +
                     " the schema is not whole: restore the database from a backup"};
}

std::int64_t version_of(sqlite3* db) {
  const auto has_table = query_integer(
      db, "select 1 from main.sqlite_schema where type = 'table' and name = 'outbox_migrations'",
      "read the schema version");
  if (!has_table) return 0;
  return query_integer(db, "select max(version) from main.outbox_migrations",
                       "read the schema version")
      .value_or(0);
}

void refuse_newer(std::int64_t version) {
  if (version <= schema_version()) return;
  throw schema_error{"outbox: the database has schema " + std::to_string(version) +
                     ", this library (" + outbox::version() + ") knows up to " +
                     std::to_string(schema_version()) + ": upgrade the library"};
}

void apply_missing(sqlite3* db) {
  // Read again: while this connection waited for its turn, another process may have done the work.
  const std::int64_t from = version_of(db);
  refuse_newer(from);
  execute(db,
          "create table if not exists main.outbox_migrations ("
          " version integer primary key, name text not null,"
          " applied_at_ms integer not null, library text not null) strict",
          "migrate");
  for (const Migration& migration : migrations()) {
    if (migration.version <= from) continue;
    execute(db, migration.sql, migration.name);
    Statement{db,
              "insert into main.outbox_migrations (version, name, applied_at_ms, library) values"
              " (?1, ?2, ?3, ?4)",
              "migrate"}
        .bind(1, migration.version)
        .bind(2, std::string_view{migration.name})
        .bind(3, core::unix_ms(core::system_now()))
        .bind(4, std::string_view{outbox::version()})
        .run();
  }
}

}  // namespace

void require_schema(sqlite3* db) {
  const std::vector<std::string> missing = missing_tables(db);
  const std::int64_t version = version_of(db);
  refuse_newer(version);
  if (version < schema_version()) {
    throw schema_error{version == 0
                           ? std::string{no_schema_text}
                           : "outbox: the database has schema " + std::to_string(version) +
                                 ", this library needs " + std::to_string(schema_version()) +
                                 ": call outbox::migrate"};
  }
  // Another process may have migrated the file between the two looks.
  if (!missing.empty()) refuse_missing(missing_tables(db));
}

}  // namespace storage

inline namespace v1 {

int schema_version() noexcept {
  return storage::migrations().back().version;
}

int migrate(ConnectionRef connection) {
  sqlite3* const db = connection.handle();
  if (sqlite3_libversion_number() < storage::sqlite_version_min) {
    throw schema_error{std::string{"outbox: needs SQLite 3.37 or newer, this is "} +
                       sqlite3_libversion()};
  }
  const std::int64_t version = storage::while_busy([db] {
    static_cast<void>(storage::missing_tables(db));  // for what it throws
    return storage::version_of(db);
  });
  storage::refuse_newer(version);
  if (version < schema_version()) {
    storage::change_atomically(db, "migrate", [db] { storage::apply_missing(db); });
  } else {
    storage::while_busy([db] { storage::refuse_missing(storage::missing_tables(db)); });
  }
  return schema_version();
}

int migrated_version(ConnectionRef connection) {
  const std::int64_t version =
      storage::while_busy([&] { return storage::version_of(connection.handle()); });
  constexpr std::int64_t version_max = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<std::int64_t>(version, 0, version_max));
}

}  // namespace v1
}  // namespace outbox

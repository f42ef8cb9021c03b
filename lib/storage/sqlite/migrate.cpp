#include "outbox/migrate.hpp"

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

int version_of(sqlite3* db) {
  const auto has_table = query_integer(
      db, "select 1 from main.sqlite_schema where type = 'table' and name = 'outbox_migrations'",
      "read the schema version");
  if (!has_table) return 0;
  const auto version = query_integer(db, "select max(version) from main.outbox_migrations",
                                     "read the schema version");
  return static_cast<int>(version.value_or(0));
}

void refuse_newer(int version) {
  if (version <= schema_version()) return;
  throw schema_error{"outbox: the database has schema " + std::to_string(version) +
                     ", this library (" + outbox::version() + ") knows up to " +
                     std::to_string(schema_version()) + ": upgrade the library"};
}

void apply_missing(sqlite3* db) {
  // Read again: while this connection waited for its turn, another process may have done the work.
  const int from = version_of(db);
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
              " (?1, ?2, ?4, ?3)",
              "migrate"}
        .bind(1, migration.version)
        .bind(2, std::string_view{migration.name})
        .bind(3, std::string_view{outbox::version()})
        .bind(4, core::unix_ms(core::system_now()))
        .run();
  }
}

}  // namespace

void require_schema(sqlite3* db) {
  const int version = version_of(db);
  refuse_newer(version);
  if (version < schema_version()) {
    throw schema_error{
        version == 0
            ? std::string{"outbox: the database is not migrated: call outbox::migrate first, or "
                          "run `outbox migrate`"}
            : "outbox: the database has schema " + std::to_string(version) +
                  ", this library needs " + std::to_string(schema_version()) +
                  ": call outbox::migrate"};
  }
}

}  // namespace storage

inline namespace v0 {

int schema_version() noexcept {
  return storage::migrations().back().version;
}

int migrate(ConnectionRef connection) {
  sqlite3* const db = connection.handle();
  if (sqlite3_libversion_number() < storage::sqlite_version_min) {
    throw schema_error{std::string{"outbox: needs SQLite 3.37 or newer, this is "} +
                       sqlite3_libversion()};
  }
  const int version = migrated_version(connection);
  storage::refuse_newer(version);
  if (version < schema_version()) {
    storage::change_atomically(db, "migrate", [db] { storage::apply_missing(db); });
  }
  return schema_version();
}

int migrated_version(ConnectionRef connection) {
  return storage::while_busy([&] { return storage::version_of(connection.handle()); });
}

}  // namespace v0
}  // namespace outbox

#include <doctest/doctest.h>

#include "core/sqlite_version.hpp"
#include "support/database.hpp"

namespace {

// But for the SQLite that this machine happens to have.
std::string names_of(const std::vector<outbox::HostProblem>& problems) {
  std::string names;
  for (const outbox::HostProblem& problem : problems) {
    if (problem.name != "sqlite_version") names += problem.name + " ";
  }
  return names;
}

}  // namespace

TEST_CASE("a host that is set up as the README says lacks nothing") {
  support::AppDatabase app;
  CHECK(names_of(outbox::check_host(app.db())).empty());
}

TEST_CASE("a host without synchronous is told what that may cost") {
  support::AppDatabase app;
  app.db().exec("pragma synchronous = off");
  CHECK(names_of(outbox::check_host(app.db())) == "synchronous ");
}

TEST_CASE("a host that has switched triggers off is told what that may cost") {
  support::AppDatabase app;
  sqlite3_db_config(app.db().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  CHECK(names_of(outbox::check_host(app.db())) == "triggers ");
}

TEST_CASE("a SQLite with the WAL-reset bug is named, and no other") {
  support::AppDatabase app;
  bool is_named = false;
  for (const auto& problem : outbox::check_host(app.db())) {
    is_named = is_named || problem.name == "sqlite_version";
  }
  CHECK(is_named == outbox::core::has_wal_reset_bug(sqlite3_libversion_number()));
}

TEST_CASE("the WAL-reset bug is in every version but those that fixed it") {
  struct Row {
    int version;
    bool has_bug;
  };
  constexpr Row rows[] = {
      {3'007'000, true},  {3'037'000, true},  {3'040'001, true},  {3'044'005, true},
      {3'044'006, false}, {3'044'009, false}, {3'045'000, true},  {3'045'003, true},
      {3'046'001, true},  {3'049'002, true},  {3'050'004, true},  {3'050'006, true},
      {3'050'007, false}, {3'050'099, false}, {3'051'000, true},  {3'051'002, true},
      {3'051'003, false}, {3'052'000, false}, {3'053'000, false}, {4'000'000, false}};
  for (const Row& row : rows) {
    CAPTURE(row.version);
    CHECK(outbox::core::has_wal_reset_bug(row.version) == row.has_bug);
  }
}

TEST_CASE("a host without WAL and without a busy timeout is told both") {
  support::TemporaryFolder folder;
  SQLite::Database db{folder.file("app.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  CHECK(names_of(outbox::check_host(db)) == "journal_mode busy_timeout ");
  db.exec("pragma journal_mode = wal");
  CHECK(names_of(outbox::check_host(db)) == "busy_timeout ");
  db.setBusyTimeout(1);
  CHECK(names_of(outbox::check_host(db)).empty());
}

TEST_CASE("a file with its journal in memory is a file all the same") {
  support::AppDatabase app;
  app.db().exec("pragma journal_mode = delete; pragma journal_mode = memory");
  CHECK(outbox::check_host(app.db()).at(0).advice.find("PRAGMA journal_mode=WAL") !=
        std::string::npos);
}

TEST_CASE("a memory database is told that a dispatcher needs a file") {
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(1);
  CHECK(outbox::check_host(db).at(0).advice.find("deliver_once") != std::string::npos);
}

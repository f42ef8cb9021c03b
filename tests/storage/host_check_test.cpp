#include <doctest/doctest.h>

#include "support/database.hpp"

namespace {

std::string names_of(const std::vector<outbox::HostProblem>& problems) {
  std::string names;
  for (const outbox::HostProblem& problem : problems) names += problem.name + " ";
  return names;
}

}  // namespace

TEST_CASE("a host that is set up as the README says lacks nothing") {
  support::AppDatabase app;
  CHECK(outbox::check_host(app.db()).empty());
}

TEST_CASE("a host without WAL and without a busy timeout is told both") {
  support::TemporaryFolder folder;
  SQLite::Database db{folder.file("app.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  CHECK(names_of(outbox::check_host(db)) == "journal_mode busy_timeout ");
  db.exec("pragma journal_mode = wal");
  CHECK(names_of(outbox::check_host(db)) == "busy_timeout ");
  db.setBusyTimeout(1);
  CHECK(outbox::check_host(db).empty());
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

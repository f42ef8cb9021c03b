#include "dispatch/wal_watch.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "support/database.hpp"

using outbox::dispatch::WalWatch;

#ifdef __linux__

TEST_CASE("a commit of another connection is a hint, once") {
  support::AppDatabase app;
  WalWatch watch{app.path()};
  CHECK(watch.is_watching());
  CHECK_FALSE(watch.drain());

  SQLite::Database other = app.connect();
  other.exec("create table t (a)");

  CHECK(watch.drain());
  CHECK_FALSE(watch.drain());
}

TEST_CASE("reading is no hint") {
  support::AppDatabase app;
  app.enqueue_many(1);
  WalWatch watch{app.path()};
  SQLite::Database other = app.connect();
  CHECK(other.execAndGet("select count(*) from outbox_events").getInt() == 1);
  CHECK_FALSE(watch.drain());
}

TEST_CASE("without a WAL there is nothing to watch, and a removed one is noticed") {
  support::TemporaryFolder folder;
  CHECK_FALSE(WalWatch{folder.file("none.db")}.is_watching());

  support::AppDatabase app;
  WalWatch watch{app.path()};
  std::filesystem::rename(app.path() + "-wal", app.path() + "-moved");
  watch.drain();
  CHECK_FALSE(watch.is_watching());
  std::filesystem::rename(app.path() + "-moved", app.path() + "-wal");
}

#endif

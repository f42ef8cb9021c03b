// A host that speaks SQLite's C API: lend outbox the `sqlite3*` that you have.
//
//     example_raw_c_api DATABASE URL

#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <outbox/outbox.hpp>

namespace {

void run(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error{sqlite3_errmsg(db)};
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  sqlite3* db = nullptr;
  if (sqlite3_open(argv[1], &db) != SQLITE_OK) return 1;
  sqlite3_busy_timeout(db, 5000);
  run(db, "pragma journal_mode = wal; create table if not exists invites (email text)");
  outbox::migrate(db);

  outbox::Dispatcher dispatcher{
      argv[1], outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]})};

  run(db, "begin immediate");
  run(db, "insert into invites values ('amy@achme.com')");
  outbox::enqueue(db, outbox::InviteSent{.user_id = "u1", .invitee = {.email = "amy@achme.com"}});
  run(db, "commit");  // after an exception: "rollback", and neither row is there

  const bool is_done = dispatcher.wait_until_idle(std::chrono::seconds{30});
  sqlite3_close(db);
  return is_done ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

// A program outside of the project, built against outbox as its users get it: enqueues an event in
// a transaction of its own and delivers it.
//
//     consumer DATABASE URL

#include <sqlite3.h>

#include <cstdio>
#include <outbox/outbox.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  sqlite3* db = nullptr;
  if (sqlite3_open(argv[1], &db) != SQLITE_OK) return 2;
  sqlite3_exec(db, "pragma journal_mode = wal", nullptr, nullptr, nullptr);
  outbox::migrate(db);
  sqlite3_exec(db, "begin immediate", nullptr, nullptr, nullptr);
  outbox::enqueue(db,
                  outbox::InviteSent{.user_id = "user-1", .invitee = {.email = "amy@achme.com"}});
  sqlite3_exec(db, "commit", nullptr, nullptr, nullptr);
  const outbox::DeliverReport report = outbox::deliver_once(
      db, outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]}));
  try {  // an exception of the library is caught by its type, across a shared library too
    outbox::enqueue(db, outbox::InviteSent{});
    return 3;
  } catch (const outbox::not_in_transaction&) {
  }
  sqlite3_close(db);
  std::printf("outbox %s delivered %d\n", outbox::version(), static_cast<int>(report.delivered));
  return report.delivered == 1 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

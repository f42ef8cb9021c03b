// The program of the README, word for word below this line (a test compares them).

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <iostream>
#include <outbox/outbox.hpp>

int main(int argc, char** argv) {
  SQLite::Database db{"app.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5000);
  db.exec("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS invites (account, email)");
  outbox::migrate(db);  // at start-up; safe to repeat, safe to race

  outbox::TrackApi track{.credentials = outbox::bearer_from_file("thrivestack.token")};
  if (argc > 1) track.url = argv[1];                                  // else the real Track API
  outbox::Dispatcher dispatcher{"app.db", outbox::track_api(track)};  // a thread of its own

  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  db.exec("INSERT INTO invites VALUES ('account-1', 'amy@achme.com')");
  outbox::enqueue(
      db, outbox::InviteSent{
              .user_id = "user-1", .group_id = "account-1", .invitee = {.email = "amy@achme.com"}});
  transaction.commit();  // the invite and its event, or neither

  // Your server serves on. This program waits for its one event; events that are still pending when
  // it ends are delivered after the next start.
  dispatcher.wait_until_idle(std::chrono::seconds{10});
  const outbox::Stats stats = dispatcher.stats();
  std::cout << stats.delivered << " delivered\n";
  if (stats.delivered > 0) return 0;
  std::cerr << "`outbox status --db app.db` says why. " << stats.hold << "\n";
  return 1;
}

// The program of the README, word for word below this line (a test compares them).

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <iostream>
#include <outbox/outbox.hpp>
#include <string>

// The app's own rows and the event commit together, or neither does.
void invite(SQLite::Database& db, const std::string& inviter, const std::string& account,
            const std::string& email) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  SQLite::Statement insert{db, "insert into invites (account_id, email) values (?, ?)"};
  insert.bind(1, account);
  insert.bind(2, email);
  insert.exec();
  outbox::enqueue(db, outbox::InviteSent{
                          .user_id = inviter,
                          .group_id = account,
                          .invitee = {.email = email, .first_name = "Amy", .role = "Developer"},
                          .feature_name = "CUSTOMER_JOURNEY",
                      });
  transaction.commit();
}

int main(int argc, char** argv) try {
  outbox::TrackApi track{.credentials = outbox::bearer_from_file("thrivestack.token")};
  if (argc > 1) track.url = argv[1];  // else the real Track API

  SQLite::Database db{"app.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5000);  // the app's choices: the library never sets them
  db.exec("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS invites (account_id, email)");
  outbox::migrate(db);  // at start-up; safe to repeat, safe to race

  // A thread and a connection of its own; delivers from here on.
  outbox::Dispatcher dispatcher{"app.db", outbox::track_api(track)};

  invite(db, "user-1", "account-1", "amy@achme.com");

  // Your server serves on; this program waits for its one event, for ten seconds at most.
  const bool is_done = dispatcher.wait_until_idle(std::chrono::seconds{10});
  std::cout << dispatcher.stats().delivered << " delivered\n";
  if (!is_done) std::cerr << "still pending: " << dispatcher.stats().hold << "\n";
  return is_done ? 0 : 1;  // the dispatcher stops; what is pending waits for the next start
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

// An app that enqueues and dispatches: for its size, beside that of without_outbox.cpp.

#include <SQLiteCpp/SQLiteCpp.h>
#include <curl/curl.h>

#include <outbox/outbox.hpp>

int main(int argc, char** argv) {
  if (argc < 2) return curl_global_init(CURL_GLOBAL_DEFAULT);
  SQLite::Database db{argv[1], SQLite::OPEN_READWRITE};
  outbox::migrate(db);
  outbox::Dispatcher dispatcher{argv[1],
                                outbox::track_api({.credentials = outbox::bearer("token")})};
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  outbox::enqueue(db, outbox::InviteSent{.user_id = "john", .invitee = {.email = "a@achme.com"}});
  transaction.commit();
  dispatcher.notify();
  return dispatcher.stop() ? 0 : 1;
}

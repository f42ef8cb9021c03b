#include "invite.hpp"

#include <outbox/outbox.hpp>

namespace app {

void create_schema(SQLite::Database& db) {
  db.exec(
      "create table if not exists invites (account_id text, email text, inviter_id text,"
      " primary key (account_id, email)) strict");
  outbox::migrate(db);
}

void invite(SQLite::Database& db, const std::string& inviter, const std::string& account,
            const std::string& email) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  SQLite::Statement insert{db, "insert into invites values (?, ?, ?)"};
  insert.bind(1, account);
  insert.bind(2, email);
  insert.bind(3, inviter);
  insert.exec();
  outbox::enqueue(
      db, outbox::InviteSent{.user_id = inviter, .group_id = account, .invitee = {.email = email}},
      {.destinations = {"track", "events"}, .ordering_key = "account:" + account});
  transaction.commit();
}

}  // namespace app

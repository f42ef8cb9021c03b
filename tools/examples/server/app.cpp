#include "app.hpp"

#include <SQLiteCpp/VariadicBind.h>

#include <chrono>
#include <outbox/json.hpp>
#include <outbox/outbox.hpp>

namespace app {

namespace {

using nlohmann::json;

// A user's events follow one another, also with several connections to the API.
std::string key_of(const std::string& user_id) {
  return "user:" + user_id;
}

template <class... Values>
void run(SQLite::Database& db, const char* sql, const Values&... values) {
  SQLite::Statement statement{db, sql};
  SQLite::bind(statement, values...);
  statement.exec();
}

}  // namespace

SQLite::Database open(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5'000);              // the dispatcher is a second writer
  db.exec("pragma journal_mode = wal");  // and blocks no readers
  return db;
}

void create_schema(SQLite::Database& db) {
  db.exec(
      "create table if not exists users (id text primary key, email text, account_id text) strict;"
      "create table if not exists invites (account_id text, email text, inviter_id text,"
      " primary key (account_id, email)) strict");
  outbox::migrate(db);
}

void sign_up(SQLite::Database& db, const SignUp& who) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  run(db, "insert into users values (?, ?, ?)", who.user_id, who.email, who.account_id);
  const outbox::Event events[] = {
      outbox::Identify{.user_id = who.user_id, .email = who.email, .name = who.name},
      outbox::Group{.group_id = who.account_id,
                    .user_id = who.user_id,
                    .type = "Account",
                    .name = who.account_name},
      outbox::TrackEvent{
          .event_name = "signed_up",
          .user_id = who.user_id,
          .properties = outbox::json_text({{"plan", {{"name", "trial"}, {"days", 14}}}}),
          .context = outbox::json_text({{"group_id", who.account_id}, {"source", "product"}})}};
  outbox::enqueue(db, events, {.ordering_key = key_of(who.user_id)});
  transaction.commit();
}

void invite(SQLite::Database& db, const std::string& inviter, const std::string& account_id,
            const std::string& email) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  run(db, "insert into invites values (?, ?, ?) on conflict do nothing", account_id, email,
      inviter);
  // The key must not show the address: keys stand in logs and on screens.
  const std::string once = account_id + ":" + std::to_string(std::hash<std::string>{}(email));
  outbox::enqueue(db,
                  outbox::InviteSent{.user_id = inviter,
                                     .group_id = account_id,
                                     .invitee = {.email = email},
                                     .context = outbox::json_text({{"source", "product"}})},
                  {.ordering_key = key_of(inviter), .dedupe_key = "invite:" + once});
  outbox::enqueue(db,
                  outbox::TrackEvent{.event_name = "invite_reminder_due",
                                     .user_id = inviter,
                                     .context = outbox::json_text({{"group_id", account_id}})},
                  {.dedupe_key = "reminder:" + once,
                   .not_before = std::chrono::system_clock::now() + std::chrono::hours{24 * 7}});
  transaction.commit();
}

}  // namespace app

// An example of a monolith that embeds outbox: a small web server with users, accounts and invites
// in its own SQLite database. What matters is `invite`: the app's rows and the events commit
// together.
//
//     demo --db app.db --url http://127.0.0.1:8080/api/track --token-file thrivestack.token

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <httplib.h>
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "outbox/outbox.hpp"

namespace {

using nlohmann::json;

/// The request cannot be done, and this is what the client is told.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

SQLite::Database open_database(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5000);               // the dispatcher is a second writer
  db.exec("pragma journal_mode = wal");  // and does not block readers, nor they it
  db.exec("pragma foreign_keys = on");
  return db;
}

void create_schema(SQLite::Database& db) {
  db.exec(R"sql(
    create table if not exists users (id text primary key, name text not null) strict;
    create table if not exists accounts (
      id text primary key, name text not null, seats integer not null) strict;
    create table if not exists invites (
      id integer primary key, account_id text not null references accounts, email text not null,
      inviter_id text not null references users, unique (account_id, email)) strict;
    insert into users values ('766b3aef-5904-46fe-af05-a293fee8h345', 'John')
      on conflict do nothing;
    insert into accounts values ('bp497d1a-0159-4009-9454-8a1b0e7c0a60', 'Achme', 5)
      on conflict do nothing;
  )sql");
  outbox::migrate(db);
}

void save_invite(SQLite::Database& db, const std::string& account, const std::string& inviter,
                 const std::string& email) {
  SQLite::Statement insert{db,
                           "insert into invites (account_id, inviter_id, email) values (?, ?, ?)"};
  SQLite::bind(insert, account, inviter, email);
  insert.exec();
}

void require_seats(SQLite::Database& db, const std::string& account) {
  SQLite::Statement left{
      db,
      "select seats - (select count(*) from invites where invites.account_id = accounts.id)"
      " from accounts where id = ?"};
  left.bind(1, account);
  if (!left.executeStep()) throw Refused{"no such account"};
  if (left.getColumn(0).getInt() < 0) throw Refused{"no seats left"};
}

/// Invites everybody in the request or, when something is wrong with one of them, nobody: the
/// events are rows of the same transaction, so they go the way the invites go.
std::size_t invite(SQLite::Database& db, const json& request) {
  const std::string account = request.at("account");
  const std::string inviter = request.at("inviter");

  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  std::vector<outbox::InviteSent> events;
  for (const json& invitee : request.at("invitees")) {
    save_invite(db, account, inviter, invitee.at("email"));
    events.push_back({.user_id = inviter,
                      .group_id = account,
                      .invitee = {.email = invitee.at("email"),
                                  .first_name = invitee.value("first_name", ""),
                                  .last_name = invitee.value("last_name", ""),
                                  .role = invitee.value("role", "")},
                      .feature_name = request.value("feature", ""),
                      .team_name = request.value("team", "")});
  }
  outbox::enqueue(db, events);
  require_seats(db, account);  // throws: the transaction rolls back, invites, events and all
  transaction.commit();
  return events.size();
}

void answer(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(), "application/json");
}

void serve_invites(httplib::Server& server, const std::string& path,
                   outbox::Dispatcher& dispatcher) {
  server.Post("/invites", [&](const httplib::Request& request, httplib::Response& response) {
    thread_local SQLite::Database db = open_database(path);  // a connection for each worker
    try {
      const std::size_t invited = invite(db, json::parse(request.body));
      dispatcher.notify();  // optional: go now rather than at the next look
      answer(response, 201, {{"invited", invited}});
    } catch (const Refused& refused) {
      answer(response, 409, {{"error", refused.what()}});
    } catch (const SQLite::Exception& error) {
      const bool is_conflict = error.getErrorCode() == SQLITE_CONSTRAINT;
      answer(response, is_conflict ? 409 : 500,
             {{"error", is_conflict ? "already invited, or unknown inviter" : "database trouble"}});
    } catch (const outbox::invalid_event& error) {
      answer(response, 400, {{"error", error.what()}});
    } catch (const json::exception&) {
      answer(response, 400, {{"error", "expected account, inviter and invitees with an email"}});
    }
  });
  server.Get("/health", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok", "text/plain");
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string path = "app.db";
  std::string token_file;
  outbox::TrackApi track;
  int port = 0;
  CLI::App app{"An example monolith that embeds outbox."};
  app.add_option("--db", path, "The app's database; made if it is not there");
  app.add_option("--url", track.url, "Track API; default: the real one");
  app.add_option("--token-file", token_file, "File with the token (or set OUTBOX_TOKEN)");
  app.add_option("--port", port, "Port on loopback; 0: any");
  CLI11_PARSE(app, argc, argv);

  // Signals are waited for in one place; every thread made from here on leaves them alone.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  try {
    SQLite::Database db = open_database(path);
    create_schema(db);
    for (const outbox::HostProblem& problem : outbox::check_host(db)) {
      std::cerr << "demo: " << problem.advice << "\n";
    }
    track.credentials = token_file.empty() ? outbox::bearer(outbox::from_env("OUTBOX_TOKEN"))
                                           : outbox::bearer_from_file(token_file);
    outbox::Dispatcher dispatcher{path, outbox::track_api(track)};  // delivers from here on

    httplib::Server server;
    serve_invites(server, path, dispatcher);
    if (port == 0) {
      port = server.bind_to_any_port("127.0.0.1");
    } else if (!server.bind_to_port("127.0.0.1", port)) {
      port = -1;
    }
    if (port < 0) throw std::runtime_error{"cannot listen on that port"};
    std::thread serving{[&server] { server.listen_after_bind(); }};
    // A stop before it runs would have no effect, and the end of the thread would never come.
    while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    std::cout << "demo listens on http://127.0.0.1:" << port << std::endl;

    int signal = 0;
    sigwait(&stop_signals, &signal);
    server.stop();
    serving.join();
    return 0;  // the dispatcher stops here, and what is not delivered waits in the database
  } catch (const std::exception& error) {
    std::cerr << "demo: " << error.what() << "\n";
    return 1;
  }
}

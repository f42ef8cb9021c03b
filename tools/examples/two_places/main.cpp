// A server that tells two places of its invitations: ThriveStack, and a NATS stream that other
// services read. Each has a dispatcher of its own: when one is down, the other goes on.
//
//     two_places app.db http://127.0.0.1:8080/api/track thrivestack.token nats://127.0.0.1:4222 100

#include <chrono>
#include <iostream>
#include <outbox/nats.hpp>
#include <outbox/outbox.hpp>
#include <string>

#include "invite.hpp"

int main(int argc, char** argv) try {
  if (argc != 6) {
    std::cerr << "usage: two_places DATABASE TRACK-URL TOKEN-FILE NATS-URL INVITES\n";
    return 2;
  }
  const std::string path = argv[1];
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5'000);
  db.exec("pragma journal_mode = wal");
  app::create_schema(db);

  outbox::Dispatcher track{
      path, outbox::track_api({.credentials = outbox::bearer_from_file(argv[3]), .url = argv[2]})};
  outbox::Dispatcher events{
      path,
      outbox::nats_jetstream(
          {.url = argv[4], .stream = "EVENTS", .create_stream = outbox::NatsStream{}}),
      {.destination = "events"}};

  for (int i = 0; i < std::stoi(argv[5]); ++i) {
    app::invite(db, "user-1", "account-1", "friend-" + std::to_string(i) + "@achme.com");
  }
  const bool is_tracked = track.wait_until_idle(std::chrono::minutes{1});
  const bool is_relayed = events.wait_until_idle(std::chrono::minutes{1});
  std::cout << track.stats().delivered << " to ThriveStack, " << events.stats().delivered
            << " to JetStream\n";
  return is_tracked && is_relayed ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

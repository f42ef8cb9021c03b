// A server with several threads, each with a connection of its own, and a dispatcher: signs users
// up and lets them invite others, until it has done so often enough or is stopped.
//
//     example_server app.db http://127.0.0.1:8080/api/track thrivestack.token 1000

#include <atomic>
#include <csignal>
#include <iostream>
#include <mutex>
#include <outbox/outbox.hpp>
#include <string>
#include <thread>
#include <vector>

#include "app.hpp"

namespace {

std::atomic<bool> is_stopping = false;

// The host's log: one line a notice. A notice never holds a token or personal data.
void log(const outbox::Notice& notice) {
  static std::mutex mutex;
  const std::lock_guard guard{mutex};
  std::clog << notice.destination << " " << to_string(notice.kind) << ": " << notice.text << "\n";
}

void serve(const std::string& path, int worker, int requests) {
  SQLite::Database db = app::open(path);
  for (int i = 0; i < requests && !is_stopping; ++i) {
    const std::string name = std::to_string(worker) + "-" + std::to_string(i);
    app::sign_up(db, {.user_id = "user-" + name,
                      .email = name + "@achme.com",
                      .name = "Amy " + name,
                      .account_id = "account-" + name,
                      .account_name = "Achme " + name});
    app::invite(db, "user-" + name, "account-" + name, "friend-" + name + "@achme.com");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::cerr << "usage: example_server DATABASE URL TOKEN-FILE SIGN-UPS\n";
    return 2;
  }
  const std::string path = argv[1];
  constexpr int workers = 4;
  const int requests = std::stoi(argv[4]) / workers;
  std::signal(SIGTERM, [](int) { is_stopping = true; });
  std::signal(SIGINT, [](int) { is_stopping = true; });

  SQLite::Database db = app::open(path);
  app::create_schema(db);
  for (const outbox::HostProblem& problem : outbox::check_host(db)) {
    std::clog << "host: " << problem.advice << "\n";
  }
  outbox::Dispatcher dispatcher{
      path,
      outbox::track_api({.credentials = outbox::bearer_from_file(argv[3]), .url = argv[2]}),
      {.connections = 2, .observer = log}};

  std::vector<std::thread> threads;
  for (int worker = 0; worker < workers; ++worker)
    threads.emplace_back(serve, path, worker, requests);
  for (std::thread& thread : threads) thread.join();

  // A stop asked for by a signal does not wait for the endpoint: what is pending is delivered after
  // the next start.
  const bool is_idle = !is_stopping && dispatcher.wait_until_idle(std::chrono::minutes{1});
  dispatcher.stop();
  const outbox::Counts counts = outbox::status(db).counts;
  std::cout << counts.delivered_total << " delivered, " << counts.scheduled << " scheduled, "
            << counts.due << " due, " << counts.dead << " dead\n";
  return is_idle || is_stopping ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

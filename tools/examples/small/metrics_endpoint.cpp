// An app that has a `/metrics` page already: the outbox's metrics are appended to its own.
//
//     example_metrics_endpoint DATABASE URL       prints where it listens; ends when its input ends

#include <SQLiteCpp/SQLiteCpp.h>
#include <httplib.h>

#include <atomic>
#include <cstdio>
#include <outbox/metrics.hpp>
#include <outbox/outbox.hpp>
#include <string>
#include <thread>

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  const std::string path = argv[1];
  std::atomic<long> requests = 0;  // what the app counts itself
  const outbox::Dispatcher dispatcher{
      path, outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]})};

  httplib::Server server;
  server.Get("/metrics", [&](const httplib::Request&, httplib::Response& response) {
    std::string page = "# TYPE app_requests_total counter\napp_requests_total ";
    page += std::to_string(++requests) + "\n";
    // A connection for each call: pages are served on several threads.
    const SQLite::Database db{path, SQLite::OPEN_READONLY, 5000};
    page += outbox::prometheus_text(db, {.dispatchers = {&dispatcher}});
    response.set_content(page, outbox::prometheus_content_type);
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving{[&] { server.listen_after_bind(); }};
  std::printf("http://127.0.0.1:%d/metrics\n", port);
  std::fflush(stdout);

  while (std::getchar() != EOF) continue;
  server.stop();
  serving.join();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

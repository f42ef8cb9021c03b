// A backlog of any size goes through a small process, in order, each event once.

#include <doctest/doctest.h>

#include <fstream>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/sanitized.hpp"
#include "track_server/server.hpp"

TEST_CASE("200,000 pending events drain in order, each once, in less than 32 MiB") {
  const std::size_t count = support::is_sanitized ? 20'000 : 200'000;
  support::AppDatabase app;
  app.enqueue_many(count);
  track_server::TrackServer server{
      {.log_path = app.folder().file("received"), .keeps_events = false}};

  const support::Finished finished = support::run(
      {OUTBOX_CLI, "drain", "--db", app.path(), "--url", server.url(), "--timeout", "4m"},
      {{"OUTBOX_TOKEN", "t"}});

  CHECK(finished.code == 0);
  MESSAGE("peak memory: " << finished.peak_rss_kib / 1024 << " MiB");
  CHECK((support::is_sanitized || finished.peak_rss_kib < 32 * 1024));
  std::ifstream received{app.folder().file("received")};
  std::size_t arrived = 0;
  bool is_in_order = true;
  for (std::string line; std::getline(received, line); ++arrived) {
    const std::string expected = "\"user_id\":\"user-" + std::to_string(arrived) + "\"";
    is_in_order = is_in_order && line.find(expected) != std::string::npos;
  }
  CHECK(arrived == count);
  CHECK(is_in_order);
}

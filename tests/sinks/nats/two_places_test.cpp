// The example server: one commit, two places.

#include <doctest/doctest.h>

#include <fstream>

#include "sinks/nats/support.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "track_server/server.hpp"

using namespace support;

TEST_CASE("what docs/relay.md shows is in the example server, which is compiled and run here") {
  const std::string page = source_text("docs/relay.md");
  const std::string example = source_text("tools/examples/two_places/invite.cpp") +
                              source_text("tools/examples/two_places/main.cpp");
  const std::string fence = "```cpp\n";
  int blocks = 0;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    const std::string block = page.substr(at, page.find("```", at) - at);
    CAPTURE(block);
    if (block.find("nats_jetstream") == std::string::npos &&
        block.find("destinations") == std::string::npos) {
      continue;  // of another relay
    }
    CHECK(example.find(block) != std::string::npos);
    ++blocks;
  }
  CHECK(blocks == 2);
}

TEST_CASE("the example server tells ThriveStack and JetStream of the same invitations") {
  NatsProcess nats;
  track_server::TrackServer track;
  const TemporaryFolder folder;
  std::ofstream{folder.file("token")} << "t0ken\n";

  const Finished finished = run({OUTBOX_TWO_PLACES, folder.file("app.db"), track.url(),
                                 folder.file("token"), nats.url(), "40"});

  CHECK(finished.err == "");
  CHECK(finished.out == "40 to ThriveStack, 40 to JetStream\n");
  CHECK(track.event_count() == 40);
  const auto messages = NatsReader{nats}.read("EVENTS");
  REQUIRE(messages.size() == 40);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    CHECK(messages[i].subject == "outbox.events.track");
    CHECK(messages[i].body == track.events().at(i));
  }
  // The same event has the same id in both.
  SQLite::Database db{folder.file("app.db")};
  CHECK(db.execAndGet("select count(distinct event_id) from outbox_events").getInt() == 40);
}

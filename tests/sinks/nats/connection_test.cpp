// When the sink connects, and how long it keeps a connection.

#include <doctest/doctest.h>

#include "sinks/nats/support.hpp"
#include "sinks/nats_sink.hpp"
#include "support/scripted_server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using namespace support;

namespace {

Batch one_event() {
  const std::string payload = R"({"n":1})";
  Batch batch{.destination = "events", .body = "[" + payload + "]"};
  batch.events.push_back(
      {.id = 1, .event_id = "id", .kind = "made", .offset = 1, .bytes = payload.size()});
  return batch;
}

NatsOptions options_of(const ScriptedServer& server) {
  return {.url = "nats" + server.url().substr(4, server.url().size() - 5)};
}

}  // namespace

TEST_CASE("batches that are submitted together do not each wait for a connection") {
  const ScriptedServer server{[](Peer&, int) {}};  // ends each connection at once
  sinks::NatsSink sink{options_of(server)};
  for (int round = 1; round <= 2; ++round) {
    for (std::uint64_t token = 1; token <= 4; ++token) sink.submit(token, one_event());
    const auto replies = sink.collect(10s);
    REQUIRE(replies.size() == 4);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      CHECK(replies[i].token == i + 1);
      CHECK(replies[i].outcome.verdict == Verdict::unavailable);
      CHECK(replies[i].outcome.reason.find("NATS: could not connect") == 0);
    }
    CHECK(server.connections() == round);
  }
}

// When the sink connects, and how long it keeps a connection.

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>

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

// As much of a server as the sink needs. It acknowledges all but the first message, and these when
// it is told to.
class SlowServer {
 public:
  explicit SlowServer(const std::function<bool()>& may_answer) : may_answer_{may_answer} {}

  void serve(Peer& peer, int number) {
    peer.write(R"(INFO {"server_id":"a","version":"2.9.0","proto":1,"headers":true,)"
               R"("max_payload":1048576})"
               "\r\n");
    std::string sid;
    for (std::vector<std::string> line = words(peer); !line.empty(); line = words(peer)) {
      if (line[0] == "PING") peer.write("PONG\r\n");
      if (line[0] == "SUB") sid = line.back();
      if (line[0] != "HPUB") continue;
      peer.read_bytes(std::stoul(line[4]) + 2);
      if (number == 1 && ++messages_ == 1) continue;
      if (!becomes_true(may_answer_)) return;
      const std::string stored = R"({"stream":"S","seq":1})";
      peer.write("MSG " + line[2] + " " + sid + " " + std::to_string(stored.size()) + "\r\n" +
                 stored + "\r\n");
    }
  }

 private:
  // Of one line; none: the client has gone.
  static std::vector<std::string> words(Peer& peer) {
    std::string line;
    while (line.find("\r\n") == std::string::npos) {
      const std::string byte = peer.read_bytes(1);
      if (byte.empty()) return {};
      line += byte;
    }
    std::istringstream text{line};
    return {std::istream_iterator<std::string>{text}, {}};
  }

  const std::function<bool()> may_answer_;
  int messages_ = 0;
};

// By their number; and whether each holds SIGTERM back.
std::map<std::string, bool> threads_of_process() {
  std::map<std::string, bool> threads;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream status{entry.path() / "status"};
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("SigBlk:", 0) != 0) continue;
      const auto held = std::stoull(line.substr(7), nullptr, 16);
      threads[entry.path().filename()] = (held >> (SIGTERM - 1) & 1) != 0;
    }
  }
  return threads;
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

TEST_CASE("a connection on which a message was not acknowledged ends with what is under way") {
  std::atomic<bool> may_answer = false;
  SlowServer slow{[&] { return may_answer.load(); }};
  const ScriptedServer server{[&](Peer& peer, int number) { slow.serve(peer, number); }};
  NatsOptions options = options_of(server);
  options.ack_timeout = 3s;
  sinks::NatsSink sink{options};
  const auto reply = [&] {
    auto replies = sink.collect(10s);
    for (int more = 0; replies.empty() && more < 5; ++more) replies = sink.collect(10s);
    REQUIRE(replies.size() == 1);
    return replies[0];
  };
  sink.submit(1, one_event());
  CHECK(sink.collect(2s).empty());
  sink.submit(2, one_event());
  const Sink::Reply silent = reply();
  CHECK(silent.token == 1);
  CHECK(silent.outcome.verdict == Verdict::failed);
  CHECK(silent.outcome.reason == "NATS: no acknowledgement");
  may_answer = true;
  const Sink::Reply stored = reply();
  CHECK(stored.token == 2);
  CHECK(stored.outcome.verdict == Verdict::delivered);
  CHECK(server.connections() == 1);
  sink.submit(3, one_event());
  CHECK(reply().outcome.verdict == Verdict::delivered);
  CHECK(server.connections() == 2);
}

TEST_CASE("each thread that the client makes for a connection holds the host's signals back") {
  NatsProcess server;
  NatsReader{server}.make_stream("OUT", "outbox.>");
  const auto before = threads_of_process();
  sinks::NatsSink sink{nats_options(server)};
  sink.submit(1, one_event());
  const auto replies = sink.collect(long_enough);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].outcome.verdict == Verdict::delivered);
  int made = 0;
  for (const auto& [number, holds] : threads_of_process()) {
    if (before.contains(number)) continue;
    CHECK(holds);
    ++made;
  }
  CHECK(made >= 2);  // one reads, and one tells of acknowledgements
}

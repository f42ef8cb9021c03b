// The Track API's stand-in over real sockets: what it serves and keeps, and how it stops.

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/files.hpp"
#include "track_client.hpp"
#include "track_server/server.hpp"

using namespace std::chrono_literals;
using track_server::TrackServer;
using namespace track_server_test;

namespace {

std::chrono::milliseconds time_of_stop(TrackServer& server) {
  const auto start = std::chrono::steady_clock::now();
  server.stop();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

// Far below httplib's keep-alive time of 5 s, far above what a loaded machine needs.
constexpr auto prompt = 2s;

class TemporaryFile {
 public:
  TemporaryFile()
      : path_{std::filesystem::temp_directory_path() /
              ("track_server_test_" + std::to_string(::getpid()) + ".ndjson")} {
    std::filesystem::remove(path_);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.string(); }
  std::string content() const { return support::text_of(path_); }

 private:
  std::filesystem::path path_;
};

// A connection on which a request has begun and does not go on.
class HalfRequest {
 public:
  explicit HalfRequest(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const std::string start = "POST /api/track HTTP/1.1\r\nHost: x\r\n";
    if (connect(file_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        send(file_, start.data(), start.size(), MSG_NOSIGNAL) < 0) {
      throw std::runtime_error{"no connection"};
    }
  }
  ~HalfRequest() { close(file_); }
  HalfRequest(const HalfRequest&) = delete;
  HalfRequest& operator=(const HalfRequest&) = delete;

 private:
  int file_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

}  // namespace

TEST_CASE("an accepted batch is answered with the documented envelope and kept") {
  TrackServer server;
  Client client{server};

  const auto result = client.post("[ " + event + ", " + event + " ]");

  REQUIRE(result);
  CHECK(result->status == 200);
  CHECK(result->get_header_value("Content-Type") == "application/json");
  CHECK(result->get_header_value("Date").ends_with(" GMT"));
  CHECK(result->body ==
        R"({"success":true,"response_id":"track-000001","message":"accepted","warnings":[]})");
  CHECK(server.events() == std::vector<std::string>{event, event});
  CHECK(server.event_count() == 2);
  CHECK(server.url() == "http://127.0.0.1:" + std::to_string(server.port()) + "/api/track");
}

TEST_CASE("one bad event refuses the whole batch") {
  TrackServer server;
  Client client{server};

  const auto result = client.post(batch_with("user_id", ""));

  REQUIRE(result);
  CHECK(result->status == 400);
  CHECK(result->body == R"({"success":false,"response_id":"track-000001",)"
                        R"("message":"events[1].user_id: required","warnings":[]})");
  CHECK(server.event_count() == 0);
  CHECK(server.request_count() == 1);
}

TEST_CASE("requests are kept with their headers and what became of them") {
  TrackServer server;
  Client client{server};

  client.post("[" + event + "]", {{"Authorization", bearer}, {"User-Agent", "outbox/1"}});
  client.post("[]", {{"x-api-key", "key"}});

  const auto requests = server.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].authorization == bearer);
  CHECK(requests[0].content_type == "application/json");
  CHECK(requests[0].user_agent == "outbox/1");
  CHECK(requests[0].body == "[" + event + "]");
  CHECK(requests[0].status == 200);
  CHECK(requests[0].events == 1);
  CHECK(requests[1].authorization.empty());
  CHECK(requests[1].api_key == "key");
  CHECK(requests[1].status == 400);
  CHECK(requests[1].events == 0);
}

TEST_CASE("only the newest 1,000 requests are kept") {
  TrackServer server{{.keeps_events = false}};
  Client client{server};

  for (int i = 0; i < 1'001; ++i) client.post(i == 0 ? "first" : "[" + event + "]");

  CHECK(server.request_count() == 1'001);
  CHECK(server.requests().size() == 1'000);
  CHECK(server.requests().front().status == 200);
  CHECK(server.event_count() == 1'000);
  CHECK(server.events().empty());
}

TEST_CASE("other paths and methods are told apart from the API, and reported") {
  std::mutex mutex;
  std::vector<std::string> lines;
  TrackServer server{{.on_request = [&](const track_server::Request& request) {
    const std::scoped_lock lock{mutex};
    lines.push_back(request.method + " " + std::to_string(request.status));
  }}};
  Client client{server};

  CHECK(status_of(client.http().Get("/api/track")) == 405);
  CHECK(status_of(client.http().Post("/api/trackk", "[]", "application/json")) == 404);
  const auto health = client.http().Get("/health");
  REQUIRE(health);
  CHECK(health->body == "ok");
  client.post("[" + event + "]");
  server.stop();

  CHECK(lines == std::vector<std::string>{"GET 405", "POST 404", "GET 200", "POST 200"});
  CHECK(server.request_count() == 1);
}

TEST_CASE("a body of many megabytes is refused by the contract, not by the connection") {
  TrackServer server;
  Client client{server};

  CHECK(status_of(client.post(body_of_bytes(20'000'000))) == 400);
  CHECK(status_of(client.http().Post("/api/track", {{"Authorization", bearer}},
                                     body_of_bytes(1'000'000),
                                     "application/x-www-form-urlencoded")) == 200);
  CHECK(status_of(client.post("[" + event + "]")) == 200);
}

TEST_CASE("a token can be asked for, and changed while the server runs") {
  TrackServer server{{.token = "old"}};
  Client client{server};

  CHECK(status_of(client.post("[" + event + "]", {{"Authorization", "Bearer old"}})) == 200);
  server.set_token("new");
  CHECK(status_of(client.post("[" + event + "]", {{"Authorization", "Bearer old"}})) == 401);
  CHECK(status_of(client.post("[" + event + "]", {{"x-api-key", "new"}})) == 200);
  CHECK(server.event_count() == 2);
}

TEST_CASE("accepted events are in the log when the answer is there") {
  const TemporaryFile log;
  TrackServer server{{.log_path = log.path()}};
  Client client{server};

  client.post("[" + event + ",\n" + event + "]");
  CHECK(log.content() == event + "\n" + event + "\n");
  client.post("[1]");
  client.post("[" + event + "]");

  CHECK(log.content() == event + "\n" + event + "\n" + event + "\n");
}

TEST_CASE("a log is appended to by the next server, and must be in a folder that exists") {
  const TemporaryFile log;
  for (int run = 0; run < 2; ++run) {
    TrackServer server{{.log_path = log.path()}};
    Client{server}.post("[" + event + "]");
  }

  CHECK(log.content() == event + "\n" + event + "\n");
  CHECK_THROWS_AS(TrackServer({.log_path = "/nowhere/at/all.ndjson"}), std::runtime_error);
}

TEST_CASE("a full disk under the log is an error of the server, and nothing is accepted") {
  TrackServer server{{.log_path = "/dev/full"}};
  Client client{server};

  CHECK(status_of(client.post("[" + event + "]")) == 500);
  CHECK(server.event_count() == 0);
}

TEST_CASE("waiting for events ends when they come, when time is up, and when the server stops") {
  TrackServer server;
  auto two = std::async(std::launch::async, [&] { return server.wait_for_events(2, 60s); });
  auto three = std::async(std::launch::async, [&] { return server.wait_for_events(3, 60s); });

  Client{server}.post(batch_of(2));

  CHECK(two.get());
  CHECK_FALSE(server.wait_for_events(3, 1ms));
  CHECK_FALSE(server.wait_for_requests(2, 1ms));
  server.stop();
  CHECK_FALSE(three.get());
  CHECK(server.wait_for_events(2, 60s));
  CHECK_FALSE(server.wait_for_events(3, 60s));
}

TEST_CASE("stop is prompt while a connection is kept alive and idle") {
  TrackServer server;
  Client client{server};
  CHECK(status_of(client.post("[" + event + "]")) == 200);

  CHECK(time_of_stop(server) < prompt);

  CHECK(time_of_stop(server) < prompt);
  CHECK_FALSE(client.post("[" + event + "]"));
  CHECK(server.event_count() == 1);
}

TEST_CASE("stop is prompt during a latency of a minute") {
  TrackServer server;
  server.misbehave({.latency = 60s});
  Client client{server};
  auto answer = std::async(std::launch::async, [&] { return status_of(client.post(batch_of(1))); });
  REQUIRE(server.wait_for_requests(1, 30s));

  CHECK(time_of_stop(server) < prompt);

  CHECK(answer.get() == 0);
}

TEST_CASE("stop may be called by several threads at once, and before any request") {
  TrackServer server;

  std::thread other{[&] { server.stop(); }};
  server.stop();
  other.join();

  CHECK(server.request_count() == 0);
}

TEST_CASE("64 connections are served at once") {
  TrackServer server;
  server.misbehave({.latency = 60s});
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 64; ++i) {
    answers.push_back(std::async(
        std::launch::async, [&] { return status_of(Client{server}.post("[" + event + "]")); }));
  }

  CHECK(server.wait_for_requests(64, 30s));

  CHECK(time_of_stop(server) < prompt);
  for (auto& answer : answers) CHECK(answer.get() == 0);
}

TEST_CASE("connections that begin a request and do not go on starve nobody") {
  TrackServer server;
  std::list<HalfRequest> slow;
  for (int i = 0; i < 200; ++i) slow.emplace_back(server.port());

  Client client{server};
  for (int i = 0; i < 3; ++i) CHECK(status_of(client.post("[" + event + "]")) == 200);

  CHECK(time_of_stop(server) < prompt);
}

TEST_CASE("two servers cannot share a port, and the next one may have it") {
  auto first = std::make_unique<TrackServer>();
  const int port = first->port();
  Client client{*first};
  client.post("[" + event + "]");

  CHECK_THROWS_AS(TrackServer({.port = port}), std::runtime_error);

  first.reset();
  TrackServer next{{.port = port}};
  CHECK(next.port() == port);
  CHECK(status_of(client.post("[" + event + "]")) == 200);
}

TEST_CASE("a server leaves the process's handling of SIGPIPE as it was") {
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);

  const TrackServer server;

  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  const bool is_same = after.sa_handler == before.sa_handler;
  CHECK(is_same);
}

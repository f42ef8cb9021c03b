#include "sinks/track_sink.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "support/database.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using track_server::TrackServer;

namespace {

sinks::HttpSink sink_for(const std::string& url, Credentials credentials = bearer("t0ken")) {
  return sinks::HttpSink{
      sinks::track_service({.credentials = std::move(credentials), .url = url, .timeout = 5s})};
}

Outcome send(Sink& sink, Batch batch) {
  sink.submit(1, std::move(batch));
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    for (Sink::Reply& reply : sink.collect(1s)) return std::move(reply.outcome);
  }
  FAIL("no outcome");
  return {};
}

Outcome send(Sink& sink, std::string body) {
  return send(sink, Batch{.body = std::move(body)});
}

// Sent, and no answer: it may have been accepted.
bool is_lost(const Outcome& outcome) {
  return outcome.verdict == Verdict::failed && outcome.has_arrived && outcome.status == 0;
}

std::string batch_of(const std::string& user_id) {
  return "[" + support::payload_of(user_id) + "]";
}

// A port where nobody listens.
int closed_port() {
  const int file = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  REQUIRE(bind(file, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(getsockname(file, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  close(file);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("a batch arrives byte for byte, with the token and the type") {
  TrackServer server;
  auto sink = sink_for(server.url());
  const std::string body = batch_of("u");

  const Outcome outcome = send(sink, body);

  CHECK(outcome.has_arrived);
  CHECK(outcome.status == 200);
  CHECK(outcome.verdict == Verdict::delivered);
  CHECK(outcome.response_id == "track-000001");
  const auto requests = server.requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].body == body);
  CHECK(requests[0].authorization == "Bearer t0ken");
  CHECK(requests[0].api_key.empty());
  CHECK(requests[0].content_type == "application/json");
  CHECK(requests[0].user_agent == std::string{"outbox/"} + version());
}

TEST_CASE("each address of the API is reached by its own protocol, and is a part of the name") {
  const TrackServer server;
  const std::string there = "://127.0.0.1:" + std::to_string(server.port()) + "/api/";
  sinks::HttpSink sink{sinks::track_service({.credentials = bearer("t"),
                                             .url = "http" + there + "track",
                                             .identify_url = "https" + there + "identify",
                                             .timeout = 5s})};
  CHECK(sink.name() == "http" + there + "track identify https" + there + "identify");

  CHECK(send(sink, batch_of("u")).verdict == Verdict::delivered);
  Batch identify{.body = "[{}]"};
  identify.events.push_back({.kind = "identify", .offset = 1, .bytes = 2});
  const Outcome outcome = send(sink, std::move(identify));

  CHECK(outcome.verdict == Verdict::unavailable);  // the server speaks no TLS
  CHECK(outcome.reason.find("not supported") == std::string::npos);
  CHECK(send(sink, batch_of("u")).verdict == Verdict::delivered);
}

TEST_CASE("a key goes into its own header") {
  TrackServer server;
  auto sink = sink_for(server.url(), x_api_key("k3y"));
  send(sink, batch_of("u"));
  CHECK(server.requests().at(0).api_key == "k3y");
  CHECK(server.requests().at(0).authorization.empty());
}

TEST_CASE("without a usable token no request is made") {
  TrackServer server;
  auto sink = sink_for(server.url(), bearer_from_file("/nowhere/token"));

  const Outcome outcome = send(sink, batch_of("u"));

  CHECK_FALSE(outcome.was_made);
  CHECK(outcome.verdict == Verdict::unauthorized);
  CHECK(outcome.reason ==
        "no credential: the secret file cannot be opened: No such file or directory");
  CHECK(server.request_count() == 0);
}

TEST_CASE("status and headers of a refusal come back as facts") {
  TrackServer server;
  server.misbehave({.status = 503,
                    .retry_after = "Sun, 06 Nov 1994 08:51:37 GMT",  // by the server's own clock
                    .date = "Sun, 06 Nov 1994 08:49:37 GMT",
                    .body = "busy",
                    .content_type = "text/plain"});
  auto sink = sink_for(server.url());

  const Outcome outcome = send(sink, batch_of("u"));

  CHECK(outcome.status == 503);
  CHECK(outcome.verdict == Verdict::unavailable);
  CHECK(outcome.retry_after == 120s);
}

TEST_CASE("a redirect is not followed, and takes the token nowhere") {
  TrackServer elsewhere;
  TrackServer server;
  server.misbehave({.status = 307, .body = "moved"});
  auto sink = sink_for(server.url());
  CHECK(send(sink, batch_of("u")).status == 307);
  CHECK(server.request_count() == 1);
  CHECK(elsewhere.request_count() == 0);
}

TEST_CASE("a huge answer is cut, and its status still counts") {
  TrackServer server;
  server.misbehave(
      {.status = 200, .body = std::string(3'000'000, 'x'), .content_type = "text/plain"});
  auto sink = sink_for(server.url());

  const Outcome outcome = send(sink, batch_of("u"));

  CHECK(outcome.has_arrived);
  CHECK(outcome.status == 200);
  CHECK(outcome.verdict == Verdict::delivered);
}

TEST_CASE(
    "a connection that is closed without an answer is lost, and one that is refused not sent") {
  TrackServer server;
  server.misbehave({.closes = true});
  auto sink = sink_for(server.url());
  CHECK(is_lost(send(sink, batch_of("u"))));

  auto nobody = sink_for("http://127.0.0.1:" + std::to_string(closed_port()) + "/");
  const Outcome outcome = send(nobody, batch_of("u"));
  CHECK(outcome.verdict == Verdict::unavailable);
  CHECK_FALSE(outcome.has_arrived);
  CHECK(outcome.reason.find("could not connect: ") == 0);

  auto unknown = sink_for("https://no-such-host.invalid/");
  CHECK_FALSE(send(unknown, batch_of("u")).has_arrived);
}

TEST_CASE("a server that never answers is given up after the time-out, as lost") {
  TrackServer server;
  server.misbehave({.latency = 60s});
  sinks::HttpSink sink{
      sinks::track_service({.credentials = bearer("t"), .url = server.url(), .timeout = 100ms})};
  CHECK(is_lost(send(sink, batch_of("u"))));
}

TEST_CASE("requests are under way together, and each answer finds its token") {
  TrackServer server;
  server.misbehave({.latency = 100ms, .body = {}});
  auto sink = sink_for(server.url());
  for (std::uint64_t token = 10; token < 14; ++token) sink.submit(token, {.body = batch_of("u")});

  std::set<std::uint64_t> answered;
  const auto begin = std::chrono::steady_clock::now();
  while (answered.size() < 4 && std::chrono::steady_clock::now() - begin < 20s) {
    for (const Sink::Reply& reply : sink.collect(1s)) answered.insert(reply.token);
  }

  CHECK(answered == std::set<std::uint64_t>{10, 11, 12, 13});
  CHECK(server.wait_for_requests(4, 0ms));
}

TEST_CASE("one connection is used again and again") {
  TrackServer server;
  auto sink = sink_for(server.url());
  for (int i = 0; i < 200; ++i) CHECK(send(sink, batch_of("u")).status == 200);
  CHECK(server.event_count() == 200);
}

TEST_CASE("a body of two megabytes goes as one request") {
  TrackServer server;
  auto sink = sink_for(server.url());
  const std::string event = support::payload_of(std::string(1'999'000, 'u'));
  CHECK(send(sink, "[" + event + "]").status == 200);
}

TEST_CASE("wake ends a wait from another thread, and a wait that comes later") {
  auto sink = sink_for("http://127.0.0.1:1/");
  sink.wake();
  CHECK(sink.collect(60s).empty());
  std::thread waker{[&] { sink.wake(); }};
  CHECK(sink.collect(60s).empty());
  waker.join();
}

TEST_CASE("what is aborted is never answered, and the sink goes on") {
  TrackServer server;
  server.misbehave({.requests_max = 1, .latency = 60s});
  auto sink = sink_for(server.url());
  sink.submit(1, {.body = batch_of("u")});
  CHECK(sink.collect(20ms).empty());
  sink.abort();
  sink.submit(2, {.body = batch_of("u")});
  std::vector<Sink::Reply> replies;
  for (int i = 0; i < 20 && replies.empty(); ++i) replies = sink.collect(1s);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].token == 2);
}

TEST_CASE("an endpoint that would show the token to others is refused") {
  const auto refused = [](const std::string& url) {
    CAPTURE(url);
    CHECK_THROWS_AS(track_api({.url = url}), std::invalid_argument);
  };
  for (const char* url :
       {"", "not a url", "ftp://example.com/", "file:///etc/passwd", "http://example.com/api/track",
        "http://127.0.0.1.example.com/", "http://127.evil.com/", "https://user:secret@example.com/",
        "https://user@example.com/", "https://example.com/#fragment"}) {
    refused(url);
  }
  for (const char* url : {"https://api.app.thrivestack.ai/api/track", "http://localhost:1/",
                          "http://127.1.2.3/x?y=z", "http://[::1]:8080/"}) {
    CAPTURE(url);
    CHECK_NOTHROW(track_api({.url = url}));
  }
  CHECK_NOTHROW(track_api({.url = "http://example.com/", .plain_text = PlainText::to_anyone}));
}

TEST_CASE("an address that cannot be is told with the option that has it") {
  const auto problem = [](const TrackApi& options) -> std::string {
    try {
      static_cast<void>(track_api(options));
      return {};
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  CHECK(problem({.url = ""}) == "outbox: url: is required");
  CHECK(problem({.url = "x y"}) == "outbox: url: not a URL like https://host/path");
  CHECK(problem({.url = "https:///api/track"}) == "outbox: url: has no host");
  CHECK(problem({.url = "https://a.example:0/"}) == "outbox: url: nobody listens on port 0");
  CHECK(problem({.identify_url = "x y"}) ==
        "outbox: identify_url: not a URL like https://host/path");
  CHECK(problem({.group_url = "http://example.com/group"}).find("outbox: group_url: plain http") ==
        0);
}

TEST_CASE("timeouts are finite and within their range") {
  CHECK_THROWS_AS(track_api({.timeout = 0ms}), std::invalid_argument);
  CHECK_THROWS_AS(track_api({.timeout = 11min}), std::invalid_argument);
  CHECK_THROWS_AS(track_api({.connect_timeout = 0ms}), std::invalid_argument);
  CHECK_THROWS_AS(track_api({.connect_timeout = 6min}), std::invalid_argument);
  CHECK_NOTHROW(track_api({}));
}

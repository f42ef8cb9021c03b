// What counts as an answer: only what the endpoint can have read all of, and has said all of.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "sinks/track_sink.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/scripted_server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::Peer;
using support::ScriptedServer;

namespace {

const std::string yes = R"({"success":true})";

std::string answer_with(const std::string& body, const std::string& headers = {}) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Outcome outcome_of(Sink& sink, std::string body = "[" + support::payload_of("u") + "]") {
  sink.submit(1, {.body = std::move(body)});
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < deadline) {
    for (Sink::Reply& reply : sink.collect(1s)) return std::move(reply.outcome);
  }
  FAIL("no outcome");
  return {};
}

sinks::HttpSink patient_sink(const std::string& url) {
  return sinks::HttpSink{
      sinks::track_service({.credentials = bearer("t0ken"), .url = url, .timeout = 30s})};
}

Verdict verdict_after(const std::function<void(Peer&, int)>& script, std::string body) {
  const ScriptedServer server{script};
  auto sink = patient_sink(server.url());
  return outcome_of(sink, std::move(body)).verdict;
}

Verdict verdict_of(const std::string& answer) {
  return verdict_after(
      [&](Peer& peer, int) {
        peer.read_request();
        peer.write(answer);
      },
      "[" + support::payload_of("u") + "]");
}

}  // namespace

TEST_CASE("a yes to a body that was not read is no yes") {
  const std::string large = "[" + std::string(1'800'000, ' ') + support::payload_of("u") + "]";
  const auto after_reading = [&](bool resets) {
    return [resets](Peer& peer, int) {
      peer.read_bytes(7);
      peer.write(answer_with(yes));
      if (resets) peer.reset();
    };
  };
  CHECK(verdict_after(after_reading(true), large) != Verdict::delivered);
  CHECK(verdict_after(after_reading(false), large) != Verdict::delivered);
}

TEST_CASE("a yes to a body that was not read is no yes on a connection in use either") {
  const ScriptedServer server{[](Peer& peer, int) {
    peer.read_request();
    peer.write(answer_with(yes));
    peer.read_bytes(7);
    peer.write(answer_with(yes));
  }};
  auto sink = patient_sink(server.url());
  CHECK(outcome_of(sink).verdict == Verdict::delivered);
  const std::string large = "[" + std::string(1'800'000, ' ') + support::payload_of("u") + "]";
  CHECK(outcome_of(sink, large).verdict != Verdict::delivered);
  CHECK(server.connections() == 1);
}

TEST_CASE("an answer cut at any byte is delivered only when all of it was there") {
  const std::string whole = answer_with(yes);
  for (const std::string& answer :
       {whole, answer_with(R"({"success":false})"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + yes + "\r\n0\r\n\r\n"}) {
    // Behind the last chunk only the end of an empty line may be missing.
    const bool is_chunked = answer.find("chunked") != std::string::npos;
    for (std::size_t cut = 0; cut < answer.size() - (is_chunked ? 1 : 0); ++cut) {
      CAPTURE(answer);
      CAPTURE(cut);
      CHECK(verdict_of(answer.substr(0, cut)) != Verdict::delivered);
    }
  }
  CHECK(verdict_of(whole) == Verdict::delivered);
}

TEST_CASE("a body that ends with the connection is believed when it is whole") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  CHECK(verdict_of(head + yes) == Verdict::delivered);
  CHECK(verdict_of(head + R"({"success":false})") == Verdict::refused);
  CHECK(verdict_of(head + R"({"success":fal)") == Verdict::failed);
  CHECK(verdict_of(head) == Verdict::delivered);  // no body at all is a plain yes
  CHECK(verdict_of(head + R"([{"success":fal)") == Verdict::failed);
  CHECK(verdict_of(head + "\xEF\xBB\xBF{\"success\":fal") == Verdict::failed);
}

TEST_CASE("a body that is malformed before its end, or longer than what is kept, is not cut") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  for (const std::string& body :
       {R"({"success":true,"echo":")" + std::string(70'000, 'x') + R"("})",
        std::string{"{\"success\":true,\"message\":\"f\xFCr dich\"}"}, yes + "\n" + yes + "\n",
        std::string{R"({"success":true,"took":NaN})"}, yes + "\nnu", yes + "}"}) {
    CAPTURE(body.substr(0, 60));
    CHECK(verdict_of(head + body) == Verdict::delivered);
  }
}

TEST_CASE("a compressed body that ends early may have said no") {
  // A block that is stored as it is, of 17 bytes.
  const unsigned char begin[] = {0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0x01, 17, 0, 0xee, 0xff};
  const std::string gzip{std::begin(begin), std::end(begin)};
  const std::string header = "Content-Encoding: gzip\r\n";
  CHECK(verdict_of(answer_with(gzip + R"({"success":fal)", header)) == Verdict::failed);
  CHECK(verdict_of(answer_with(gzip + R"({"success":fal)",
                               header + "Content-Encoding: identity\r\n")) == Verdict::failed);
  CHECK(verdict_of(answer_with(R"({"success":true,)", "Content-Encoding: none\r\n")) ==
        Verdict::delivered);  // it is whole, and malformed
}

TEST_CASE("headers that only seem to say how long a body is do not make it whole") {
  const std::string cut = R"({"success":fal)";
  for (const std::string header : {"Transfer-Encoding: identity", "Transfer-Encoding: Identity",
                                   "Content-Length: 99999999999999999999"}) {
    CAPTURE(header);
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + header + "\r\n\r\n";
    CHECK(verdict_of(head + cut) == Verdict::failed);
    CHECK(verdict_of(head + yes) == Verdict::delivered);
  }
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: ";
  CHECK(verdict_of(chunked + "Chunked\r\n\r\n10\r\n" + yes + "\r\n0\r\n\r\n") ==
        Verdict::delivered);
  CHECK(verdict_of(chunked + "chunked\r\n\r\n10\r\n" + yes + "\r\n") == Verdict::failed);
}

TEST_CASE("a body that is compressed unasked is read") {
  // `printf '{"success":false}' | gzip -n | xxd -p`
  const unsigned char gzip[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03,
                                0xab, 0x56, 0x2a, 0x2e, 0x4d, 0x4e, 0x4e, 0x2d, 0x2e, 0x56,
                                0xb2, 0x4a, 0x4b, 0xcc, 0x29, 0x4e, 0xad, 0x05, 0x00, 0xf2,
                                0xca, 0x43, 0x34, 0x11, 0x00, 0x00, 0x00};
  const std::string body{std::begin(gzip), std::end(gzip)};
  CHECK(verdict_of(answer_with(body, "Content-Encoding: gzip\r\n")) == Verdict::refused);
  CHECK(verdict_of(answer_with(yes, "Content-Encoding: x-unknown\r\n")) != Verdict::delivered);
}

TEST_CASE("an answer that nobody asked for is not the answer to the next request") {
  const ScriptedServer server{[](Peer& peer, int connection) {
    peer.read_request();
    if (connection == 1) {
      peer.write(answer_with(yes) + answer_with(yes));  // the second one is the lie
    } else {
      peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    }
  }};
  auto sink = patient_sink(server.url());
  CHECK(outcome_of(sink).verdict == Verdict::delivered);
  CHECK(outcome_of(sink).verdict == Verdict::refused);
  CHECK(server.connections() == 2);
}

TEST_CASE("nor is it while another request is under way") {
  std::atomic<bool> may_answer = false;
  const ScriptedServer server{
      [&](Peer& peer, int connection) {
        peer.read_request();
        if (connection == 1) {
          peer.write(answer_with(yes) + answer_with(yes));  // the second one is the lie
          peer.read_bytes(1);                               // stays open; nothing comes
        } else {
          const auto deadline = std::chrono::steady_clock::now() + 60s;
          while (connection == 2 && !may_answer && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(1ms);
          }
          peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
      },
      ScriptedServer::Serves::side_by_side};
  {
    auto sink = patient_sink(server.url());
    CHECK(outcome_of(sink).verdict == Verdict::delivered);
    sink.submit(2, {.body = "[" + support::payload_of("waits") + "]"});
    CHECK(support::becomes_true([&] {
      sink.collect(1ms);
      return server.connections() == 2;
    }));
    CHECK(outcome_of(sink).verdict == Verdict::refused);
    CHECK(server.connections() == 3);
    may_answer = true;
  }
}

TEST_CASE("nor is it when two requests begin at once, the first with the handle that got the lie") {
  std::atomic<bool> may_lie = false;
  std::atomic<bool> has_lied = false;
  const ScriptedServer server{
      [&](Peer& peer, int connection) {
        peer.read_request();
        if (connection == 1) {
          peer.write(answer_with(yes));
          support::becomes_true([&] { return may_lie.load(); });
          peer.write(answer_with(yes));
          has_lied = true;
          peer.read_bytes(1);
        } else {
          peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
      },
      ScriptedServer::Serves::side_by_side};
  {
    auto sink = patient_sink(server.url());
    CHECK(outcome_of(sink).verdict == Verdict::delivered);
    may_lie = true;  // on a connection that idles
    CHECK(support::becomes_true([&] { return has_lied.load(); }));
    std::map<std::uint64_t, Verdict> verdicts;
    for (const std::uint64_t token : {2, 3}) {
      sink.submit(token, {.body = "[" + support::payload_of("u") + "]"});
    }
    CHECK(support::becomes_true([&] {
      for (Sink::Reply& reply : sink.collect(1ms)) verdicts[reply.token] = reply.outcome.verdict;
      return verdicts.size() == 2;
    }));
    CHECK(verdicts[2] == Verdict::refused);
    CHECK(verdicts[3] == Verdict::refused);
  }
}

TEST_CASE("what a proxy or an interim answer says of patience is not the answer's") {
  const ScriptedServer server{[](Peer& peer, int) {
    peer.read_request();
    peer.write("HTTP/1.1 103 Early Hints\r\nRetry-After: 3600\r\n\r\n");
    peer.write(
        "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 7200\r\n\r\n");
  }};
  auto sink = patient_sink(server.url());
  const Outcome outcome = outcome_of(sink);
  CHECK(outcome.status == 503);
  CHECK_FALSE(outcome.retry_after);
}

TEST_CASE("what a proxy says when it opens or refuses the tunnel is not the endpoint's") {
  for (const char* status : {"200 OK", "407 Proxy Authentication Required", "503 Busy"}) {
    CAPTURE(status);
    const ScriptedServer proxy{[&](Peer& peer, int) {
      CHECK(peer.read_request().rfind("CONNECT api.example.test:443 ", 0) == 0);
      peer.write(std::string{"HTTP/1.1 "} + status +
                 "\r\nRetry-After: 7200\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
      peer.read_bytes(1);
    }};
    sinks::HttpSink sink{sinks::track_service({.credentials = bearer("t0ken"),
                                               .url = "https://api.example.test/",
                                               .timeout = 30s,
                                               .proxy = proxy.url()})};
    const Outcome outcome = outcome_of(sink);
    CHECK_FALSE(outcome.has_arrived);
    CHECK(outcome.status == 0);
    CHECK_FALSE(outcome.retry_after);
  }
}

TEST_CASE("a proxy of the options is used whatever the environment excepts from its own") {
  std::atomic<int> asked = 0;
  const ScriptedServer proxy{[&](Peer& peer, int) {
    asked += peer.read_request().rfind("CONNECT api.example.test:443 ", 0) == 0 ? 1 : 0;
    peer.write("HTTP/1.1 503 Busy\r\n\r\n");
  }};
  setenv("no_proxy", "example.test", 1);
  sinks::HttpSink sink{sinks::track_service({.credentials = bearer("t0ken"),
                                             .url = "https://api.example.test/",
                                             .timeout = 30s,
                                             .proxy = proxy.url()})};
  outcome_of(sink);
  unsetenv("no_proxy");
  CHECK(asked == 1);
}

TEST_CASE("a flood of header lines or trailers ends the exchange") {
  for (const bool in_trailers : {false, true}) {
    CAPTURE(in_trailers);
    std::atomic<std::size_t> sent = 0;
    {
      const ScriptedServer server{[&](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\n");
        if (in_trailers) peer.write("Transfer-Encoding: chunked\r\n\r\n0\r\n");
        const std::string line = "X-Flood: " + std::string(1'000, 'x') + "\r\n";
        for (int i = 0; i < 20'000 && peer.write(line); ++i) sent += line.size();
      }};
      auto sink = patient_sink(server.url());
      const Outcome outcome = outcome_of(sink);
      CHECK(outcome.verdict == Verdict::failed);
      CHECK(outcome.status == 0);
    }
    CHECK(sent < 20'000'000);
  }
}

TEST_CASE("a proxy that is no URL is refused at once, without its value") {
  const auto message_of = [](TrackApi options) {
    try {
      static_cast<void>(track_api(std::move(options)));
      return std::string{};
    } catch (const std::invalid_argument& error) {
      return std::string{error.what()};
    }
  };
  for (const char* proxy :
       {"http://user:pa ss@proxy:8080", "http://user:p@ss:hunter2@:x", "http://[::1"}) {
    CAPTURE(proxy);
    const std::string message = message_of({.url = "https://example.invalid/", .proxy = proxy});
    CHECK(message.find("proxy: not the URL of a proxy") != std::string::npos);
    CHECK(message.find("pa ss") == std::string::npos);
    CHECK(message.find("hunter2") == std::string::npos);
  }
  CHECK(message_of({.url = "https://example.invalid/", .proxy = "http://user:pass@proxy:8080"})
            .empty());
  CHECK(message_of({.url = "https://example.invalid/", .proxy = "socks5h://proxy:1080"}).empty());
  CHECK(message_of({.url = "https://example.invalid/", .proxy = "proxy:8080"}).empty());
}

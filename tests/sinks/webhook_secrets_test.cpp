// What a receiver says of a request is kept without the secrets of that request.

#include <doctest/doctest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/encoding.hpp"
#include "outbox/webhook.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// Answers 404 to everything, and says `word` or, when that is empty, what was asked for.
class QuotingReceiver {
 public:
  explicit QuotingReceiver(std::string word) : word_{std::move(word)} {
    server_.Post(".*", [this](const httplib::Request& got, httplib::Response& response) {
      const json body = {{"error", word_.empty() ? "Cannot POST " + got.target : word_}};
      response.status = 404;
      response.set_content(body.dump(), "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread{[this] { server_.listen_after_bind(); }};
    while (!server_.is_running()) std::this_thread::sleep_for(1ms);
  }
  ~QuotingReceiver() {
    server_.stop();
    thread_.join();
  }
  QuotingReceiver(const QuotingReceiver&) = delete;
  QuotingReceiver& operator=(const QuotingReceiver&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  const std::string word_;
  httplib::Server server_;
  int port_ = -1;
  std::thread thread_;
};

// What is kept of an answer to one event.
std::string kept_of_answer(const Endpoint& endpoint) {
  Batch batch{.destination = "hooks", .body = R"([{"n":1}])"};
  batch.events.push_back({.id = 1, .event_id = "id-1", .offset = 1, .bytes = 7});
  endpoint.sink().submit(1, std::move(batch));
  for (int i = 0; i < 60; ++i) {
    for (const Sink::Reply& reply : endpoint.sink().collect(1s)) return reply.outcome.reason;
  }
  return "no outcome";
}

const std::string signing_key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const char* const not_kept = "HTTP 404: (it quotes the credential)";

SecretSource text_source(std::string secret) {
  return from_callback([secret = std::move(secret)] { return secret; });
}

std::string kept_of_word(const std::string& word) {
  const QuotingReceiver receiver{word};
  return kept_of_answer(webhook(
      {.url = receiver.url() + "/hooks/incoming",
       .credentials = bearer("token-of-mine"),
       .signing_key = text_source(signing_key),
       .secret_headers = {
           {"X-S", text_source("x-secret-9")},
           {"X-Scheme", text_source("Token t0ken-behind-a-scheme")},
           {"X-Basic", text_source("Basic " + core::base64("svc-account:hunter2-very"))}}}));
}

std::string kept_of_path(const std::string& path) {
  const QuotingReceiver receiver{""};
  return kept_of_answer(webhook({.url = receiver.url() + path}));
}

}  // namespace

TEST_CASE("an answer that quotes any of the secrets is not kept") {
  for (const std::string& quoted :
       {std::string{"token-of-mine"}, signing_key, signing_key.substr(6), std::string{"x-secret-9"},
        std::string{"t0ken-behind-a-scheme"}, core::base64("svc-account:hunter2-very"),
        std::string{"svc-account:hunter2-very"}, std::string{"hunter2-very"}}) {
    CAPTURE(quoted);
    CHECK(kept_of_word("bad: " + quoted) == not_kept);
  }
  CHECK(kept_of_word("unknown token") == "HTTP 404: unknown token");
}

TEST_CASE("an answer that quotes what may be a secret in the URL is not kept") {
  for (const char* path :
       {"/hooks/T024BE7LD/s3cretPath9f8e7d?sig=S1gnatureZZ", "/hooks/T02/s3cretPath9f8e7d",
        "/hooks?sig=S1gnatureZZ", "?sig=S1gnatureZZ", "/a1b2/c3d4/e5f6"}) {
    CAPTURE(path);
    CHECK(kept_of_path(path) == not_kept);
  }
  for (const char* path : {"/", "/hooks/v2/order-notifications?api-version=2026-01"}) {
    CAPTURE(path);
    CHECK(kept_of_path(path) == std::string{"HTTP 404: Cannot POST "} + path);
  }
}

TEST_CASE("an answer that quotes the query of the Track API's URL is not kept") {
  const auto kept = [](const std::string& path) {
    const QuotingReceiver receiver{""};
    return kept_of_answer(track_api({.url = receiver.url() + path}));
  };
  CHECK(kept("/api/track?code=S1gnatureZZ") == not_kept);
  CHECK(kept("/t3nant-4711/track?v=2") == "HTTP 404: Cannot POST /t3nant-4711/track?v=2");
}

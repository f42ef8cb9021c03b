// The ways in which the Track API's stand-in misbehaves, over real sockets.

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "track_client.hpp"
#include "track_server/server.hpp"

using namespace std::chrono_literals;
using track_server::Misbehaviour;
using track_server::TrackServer;
using namespace track_server_test;

TEST_CASE("a status is answered for so many requests, then the contract's") {
  TrackServer server;
  Client client{server};
  server.misbehave({.status = 503, .requests_max = 2, .retry_after = "7"});

  const auto first = client.post("[" + event + "]");
  const auto second = client.post("[" + event + "]");
  const auto third = client.post("[" + event + "]");

  REQUIRE(first);
  CHECK(first->status == 503);
  CHECK(first->get_header_value("Retry-After") == "7");
  CHECK(nlohmann::json::parse(first->body).at("success") == false);
  CHECK(status_of(second) == 503);
  CHECK(status_of(third) == 200);
  CHECK_FALSE(third->has_header("Retry-After"));
  CHECK(server.event_count() == 1);
}

TEST_CASE("a share of the requests misbehaves, evenly spread") {
  TrackServer server;
  Client client{server};
  server.misbehave({.status = 500, .rate = 0.3});

  std::vector<int> failures;
  for (int i = 1; i <= 20; ++i) {
    if (status_of(client.post("[" + event + "]")) == 500) failures.push_back(i);
  }

  CHECK(failures == std::vector<int>{4, 7, 10, 14, 17, 20});
}

TEST_CASE("only requests that hold a text misbehave, when that is asked for") {
  TrackServer server;
  Client client{server};
  server.misbehave({.status = 400, .only_with = "poison"});
  CHECK(status_of(client.post("[" + event + "]")) == 200);
  CHECK(status_of(client.post(batch_with("user_id", "\"poison\""))) == 400);
  CHECK(server.event_count() == 1);
}

TEST_CASE("behave ends a misbehaviour") {
  TrackServer server;
  Client client{server};
  server.misbehave({.status = 500});
  CHECK(status_of(client.post("[" + event + "]")) == 500);

  server.behave();

  CHECK(status_of(client.post("[" + event + "]")) == 200);
}

TEST_CASE("the events of an answer that denies them are not accepted") {
  const struct {
    Misbehaviour misbehaviour;
    int status;
    std::size_t events;
  } rows[] = {
      {{.status = 202}, 202, 1},
      {{.status = 204}, 204, 1},
      {{.status = 302}, 302, 0},
      {{.status = 401}, 401, 0},
      {{.body = "thanks", .content_type = "text/plain"}, 200, 1},
      {{.body = R"({"success":true,"eventId":"e"})"}, 200, 1},
      {{.body = R"({"success":false})"}, 200, 0},
      {{.is_web_page = true}, 200, 0},
      {{.status = 502, .is_web_page = true}, 502, 0},
      {{.closes = true}, 0, 0},
      {{.loses_answer = true}, 0, 1},
  };
  for (const auto& row : rows) {
    CAPTURE(&row - rows);
    TrackServer server;
    Client client{server};
    server.misbehave(row.misbehaviour);

    CHECK(status_of(client.post("[" + event + "]")) == row.status);

    REQUIRE(server.requests().size() == 1);
    CHECK(server.requests()[0].status == row.status);
    CHECK(server.requests()[0].events == row.events);
    CHECK(server.event_count() == row.events);
  }
}

TEST_CASE("body, type and date of an answer can be overridden, and a 204 has no body") {
  TrackServer server;
  Client client{server};

  server.misbehave({.date = "Sun, 06 Nov 1994 08:49:37 GMT", .body = "hi", .content_type = "a/b"});
  const auto odd = client.post("[" + event + "]");
  server.misbehave({.status = 204});
  const auto empty = client.post("[" + event + "]");
  server.misbehave({.is_web_page = true});
  const auto page = client.post("[" + event + "]");

  REQUIRE(odd);
  CHECK(odd->body == "hi");
  CHECK(odd->get_header_value("Content-Type") == "a/b");
  CHECK(odd->get_header_value("Date") == "Sun, 06 Nov 1994 08:49:37 GMT");
  REQUIRE(empty);
  CHECK(empty->body.empty());
  REQUIRE(page);
  CHECK(page->get_header_value("Content-Type").starts_with("text/html"));
  CHECK(page->body.starts_with("<!doctype html>"));
}

TEST_CASE("closing one connection leaves the others of the same process alone") {
  TrackServer server;
  Client kept{server};
  Client closed{server};
  CHECK(status_of(kept.post("[" + event + "]")) == 200);
  const auto socket_before = kept.http().socket();

  server.misbehave({.requests_max = 1, .closes = true});
  CHECK_FALSE(closed.post("[" + event + "]"));

  CHECK(status_of(kept.post("[" + event + "]")) == 200);
  CHECK(kept.http().socket() == socket_before);
  CHECK(status_of(closed.post("[" + event + "]")) == 200);
}

TEST_CASE("latency delays the answer but neither the request's count nor its events") {
  TrackServer server;
  server.misbehave({.requests_max = 1, .latency = 60s});
  Client client{server};
  auto answer = std::async(std::launch::async, [&] { return status_of(client.post(batch_of(2))); });

  CHECK(server.wait_for_requests(1, 30s));
  CHECK(server.wait_for_events(2, 30s));
  CHECK(answer.wait_for(0s) == std::future_status::timeout);
  CHECK(status_of(Client{server}.post("[" + event + "]")) == 200);

  server.stop();
  CHECK(answer.get() == 0);
}

TEST_CASE("a misbehaving answer comes no sooner than its latency") {
  TrackServer server;
  server.misbehave({.latency = 50ms});
  Client client{server};
  const auto start = std::chrono::steady_clock::now();

  CHECK(status_of(client.post("[" + event + "]")) == 200);

  CHECK(std::chrono::steady_clock::now() - start >= 50ms);
}

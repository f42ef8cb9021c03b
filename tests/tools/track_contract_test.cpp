// The contract of the Track API's stand-in, without a socket.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "track_client.hpp"
#include "track_server/contract.hpp"

using track_server::judge;
using namespace track_server_test;

TEST_CASE("the contract accepts the documented sample and keeps the order of its keys") {
  const auto verdict = judge("[ " + event + " ]", bearer, "", "");

  CHECK(verdict.status == 200);
  CHECK(verdict.message == "accepted");
  CHECK(verdict.events == std::vector<std::string>{event});
}

TEST_CASE("the contract names the element and the field that it refuses") {
  const struct {
    std::string body;
    std::string message;
  } rows[] = {
      {"", "body: not JSON at byte 1"},
      {"[" + event + ",]", "body: not JSON at byte " + std::to_string(event.size() + 3)},
      {R"([{"a":1e999}])", "body: not JSON"},
      {std::string(1'000, '['), "body: nested deeper than 512 levels"},
      {event, "body: must be an array of events"},
      {"[]", "body: holds no events"},
      {batch_of(1'001), "body: more than 1,000 events"},
      {"[" + event + ",1]", "events[1]: must be an object"},
      {"[{}]", "events[0].event_name: required"},
      {batch_with("event_name", ""), "events[1].event_name: required"},
      {batch_with("event_name", R"("")"), "events[1].event_name: required"},
      {batch_with("user_id", ""), "events[1].user_id: required"},
      {batch_with("user_id", "7"), "events[1].user_id: must be a string"},
      {batch_with("user_id", "null"), "events[1].user_id: must be a string"},
      {batch_with("timestamp", ""), "events[1].timestamp: required"},
      {batch_with("timestamp", "1729439495"), "events[1].timestamp: must be a string"},
      {batch_with("properties", "[]"), "events[1].properties: must be an object"},
      {batch_with("properties", "null"), "events[1].properties: must be an object"},
      {batch_with("context", R"("web")"), "events[1].context: must be an object"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.message);

    const auto verdict = judge(row.body, bearer, "", "");

    CHECK(verdict.status == 400);
    CHECK(verdict.message == row.message);
    CHECK(verdict.events.empty());
  }
}

TEST_CASE("the contract needs neither properties nor context, and allows more fields") {
  CHECK(judge(batch_with("properties", ""), bearer, "", "").status == 200);
  CHECK(judge(batch_with("context", ""), bearer, "", "").status == 200);
  CHECK(judge(batch_with("source", R"("product")"), bearer, "", "").status == 200);
}

TEST_CASE("the contract's limits are 1,000 events and 2,000,000 bytes") {
  CHECK(judge(batch_of(1'000), bearer, "", "").events.size() == 1'000);
  CHECK(judge(body_of_bytes(2'000'000), bearer, "", "").status == 200);

  const auto verdict = judge(body_of_bytes(2'000'001), bearer, "", "");

  CHECK(verdict.status == 400);
  CHECK(verdict.message == "body: over 2,000,000 bytes");
}

TEST_CASE("the contract wants a timestamp with a four-digit year and a zone") {
  const struct {
    std::string timestamp;
    int status;
  } rows[] = {
      {"2024-10-20T15:51:35Z", 200},      {"2024-10-20T15:51:35.059000Z", 200},
      {"2024-02-29T23:59:60Z", 200},      {"2024-10-20T15:51:35.1+02:00", 200},
      {"2024-10-20T15:51:35-0530", 200},  {"2024-10-20T15:51:35+14", 200},
      {"20-11-23T22:28:55.111Z", 400},    {"2024-10-20T15:51:35", 400},
      {"2024-10-20T15:51:35.059", 400},   {"2024-10-20T15:51:35.Z", 400},
      {"2024-10-20 15:51:35Z", 400},      {"2024-10-20", 400},
      {"2023-02-29T00:00:00Z", 400},      {"2024-13-01T00:00:00Z", 400},
      {"2024-10-20T24:00:00Z", 400},      {"2024-10-20T15:60:00Z", 400},
      {"2024-10-20T15:51:35+2:00", 400},  {"2024-10-20T15:51:35+24:00", 400},
      {"2024-10-20T15:51:35+02:60", 400}, {"2024-10-20T15:51:35Zulu", 400},
      {"2024-10-20T15:51:35+", 400},      {"yesterday", 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.timestamp);

    const auto verdict = judge(batch_with("timestamp", '"' + row.timestamp + '"'), bearer, "", "");

    CHECK(verdict.status == row.status);
    const bool names_it = verdict.message.starts_with("events[1].timestamp: must be ISO 8601");
    CHECK(names_it == (row.status == 400));
  }
}

TEST_CASE("the contract takes a bearer token or a key, and nothing else") {
  const struct {
    std::string authorization;
    std::string api_key;
    std::string token;
    int status;
  } rows[] = {
      {"", "", "", 401},
      {"Bearer x", "", "", 200},
      {"bearer x", "", "", 200},
      {"", "x", "", 200},
      {"Bearer ", "", "", 401},
      {"Basic eDp5", "", "", 401},
      {"Bearer secret", "", "secret", 200},
      {"", "secret", "secret", 200},
      {"Bearer other", "secret", "secret", 200},
      {"Bearer other", "", "secret", 401},
      {"secret", "", "secret", 401},
      {"Bearer secret2", "", "secret", 401},
      {"", "", "secret", 401},
  };
  for (const auto& row : rows) {
    CAPTURE(row.authorization);
    CAPTURE(row.api_key);

    CHECK(judge("[" + event + "]", row.authorization, row.api_key, row.token).status == row.status);
  }
}

TEST_CASE("a missing credential is told before a bad body") {
  CHECK(judge("no JSON", "", "", "").status == 401);
}

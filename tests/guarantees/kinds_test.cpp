// Identify, group and track of a user, enqueued in one transaction, reach the API's three addresses
// in that order, whatever happens on the way.

#include <doctest/doctest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/process.hpp"
#include "support/scripted_server.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using nlohmann::json;
using support::endpoint_of;
using track_server::TrackServer;

namespace {

constexpr const char* key = "user:u";

void sign_up(support::AppDatabase& app) {
  SQLite::Transaction transaction{app.db(), SQLite::TransactionBehavior::IMMEDIATE};
  const Event events[] = {
      Identify{.user_id = "u", .email = "amy@achme.com", .name = "Amy"},
      Group{.group_id = "g", .user_id = "u", .type = "Account", .name = "Achme"},
      TrackEvent{.event_name = "signed_up", .user_id = "u", .context = R"({"group_id":"g"})"},
      support::amy()};
  enqueue(app.db(), events, {.ordering_key = key});
  transaction.commit();
}

// The addresses of the requests that were accepted, in order, with repetitions.
std::vector<std::string> accepted_paths(const TrackServer& server) {
  std::vector<std::string> paths;
  for (const auto& request : server.requests()) {
    if (request.events > 0) paths.push_back(request.path);
  }
  return paths;
}

const std::vector<std::string> in_order = {"/api/identify", "/api/group", "/api/track"};

void deliver_all(support::AppDatabase& app, const TrackServer& server) {
  Dispatcher dispatcher{app.path(), endpoint_of(server), {.backoff_min = 1ms, .backoff_max = 5ms}};
  CHECK(support::becomes_true([&] {
    dispatcher.notify();
    return app.count("state in ('pending', 'scheduled', 'waiting', 'retrying')") == 0;
  }));
}

}  // namespace

TEST_CASE("identify, group and track arrive at their own addresses, as documented, in order") {
  support::AppDatabase app;
  TrackServer server;
  sign_up(app);
  CHECK(deliver_once(app.path(), endpoint_of(server)).delivered == 4);

  CHECK(accepted_paths(server) == in_order);
  const auto requests = server.requests();
  const json user = json::parse(requests[0].body).at(0);
  CHECK(user["user_id"] == "u");
  CHECK(user["traits"] == json{{"user_email", "amy@achme.com"}, {"user_name", "Amy"}});
  const json group = json::parse(requests[1].body).at(0);
  CHECK(group["group_id"] == "g");
  CHECK(group["user_id"] == "u");
  CHECK(group["traits"] == json{{"group_type", "Account"}, {"account_name", "Achme"}});
  CHECK(group["context"] == json{{"group_id", "g"}, {"group_type", "Account"}});
  const json tracks = json::parse(requests[2].body);
  REQUIRE(tracks.size() == 2);
  CHECK(tracks[0]["event_name"] == "signed_up");
  CHECK(tracks[1]["event_name"] == "invite_sent");
  CHECK(user["timestamp"] < group["timestamp"]);
  CHECK(group["timestamp"] < tracks[0]["timestamp"]);
}

TEST_CASE("the order stays across a 503") {
  for (int failing = 0; failing < 3; ++failing) {
    CAPTURE(failing);
    support::AppDatabase app;
    TrackServer server;
    const char* marks[] = {"user_email", "account_name", "signed_up"};
    server.misbehave({.status = 503, .requests_max = 3, .only_with = marks[failing]});
    sign_up(app);
    deliver_all(app, server);
    std::vector<std::string> paths = accepted_paths(server);
    // After trouble it begins with small requests.
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    CHECK(paths == in_order);
    CHECK(server.event_count() == 4);
  }
}

TEST_CASE("the order stays across a kill between a request and its answer") {
  support::AppDatabase app;
  TrackServer server;
  server.misbehave({.requests_max = 1, .latency = 60s, .only_with = "account_name"});
  sign_up(app);
  {
    support::Process runner{{OUTBOX_CLI, "run", "--db", app.path(), "--url", server.url()},
                            {{"OUTBOX_TOKEN", "t"}}};
    REQUIRE(server.wait_for_requests(2, 30s));
    runner.end(SIGKILL);
  }
  deliver_all(app, server);
  std::vector<std::string> paths = accepted_paths(server);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  CHECK(paths == in_order);
  CHECK(server.event_count() == 5);  // the group twice: its answer was lost
}

TEST_CASE("a refused identify dies alone, and the others follow in order") {
  support::AppDatabase app;
  TrackServer server;
  server.misbehave({.status = 400, .only_with = "user_email"});
  sign_up(app);
  for (int i = 0; i < 5; ++i) app.enqueue(support::event_of("other"));  // evidence
  deliver_all(app, server);
  CHECK(app.count("state = 'dead' and id = 1") == 1);
  CHECK(app.count("state = 'delivered'") == 8);
  std::vector<std::string> paths;
  for (const auto& request : server.requests()) {
    const bool is_of_user = request.body.find("\"u\"") != std::string::npos ||
                            request.body.find("amy@achme.com") != std::string::npos;
    if (request.events > 0 && is_of_user) paths.push_back(request.path);
  }
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  CHECK(paths == std::vector<std::string>{"/api/group", "/api/track"});
}

TEST_CASE("kinds that the API has no address for do not hold the others up") {
  support::AppDatabase app;
  TrackServer server;
  app.db().exec("insert into outbox_events (payload, kind) values ('{\"a\":1}', 'order.created')");
  for (int i = 0; i < 5; ++i) app.enqueue(support::event_of("other"));
  deliver_all(app, server);
  CHECK(app.count("state = 'delivered'") == 5);
  CHECK(app.count("state = 'dead' and last_error like "
                  "'refused: no address for events of the kind order.created%'") == 1);
}

TEST_CASE("with a URL that does not end with track, an identify waits for a person") {
  support::AppDatabase app;
  TrackServer server;
  app.enqueue(Identify{.user_id = "u"});
  const std::string bare = "http://127.0.0.1:" + std::to_string(server.port()) + "/collect";
  const auto report =
      deliver_once(app.path(), track_api({.credentials = bearer("t"), .url = bare}), {}, 0ms);
  CHECK(report.hold == "no address for events of the kind identify");
  CHECK(server.request_count() == 0);

  const std::string identify =
      "http://127.0.0.1:" + std::to_string(server.port()) + "/api/identify";
  const Endpoint told =
      track_api({.credentials = bearer("t"), .url = bare, .identify_url = identify});
  CHECK(deliver_once(app.path(), told).delivered == 1);
}

TEST_CASE("an identify without an address holds up no tracks") {
  support::AppDatabase app;
  support::ScriptedServer server{[](support::Peer& peer, int) {
    while (!peer.read_request().empty()) {
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}");
    }
  }};
  testing::ManualClock clock;
  const Endpoint endpoint =
      track_api({.credentials = bearer("t"), .url = server.url() + "v1/events"});
  const DispatcherOptions options{.clock = clock.function()};
  app.enqueue(Identify{.user_id = "u"});
  app.enqueue_many(300);
  for (int minute = 0; minute < 10; ++minute) {
    deliver_once(app.db(), endpoint, options);
    clock.advance(1min);
  }
  CHECK(app.count("state = 'delivered'") == 300);
  CHECK(app.count("state = 'pending' and last_error like '%no address%'") == 1);
}

// The example server, run and killed for real.

#include <doctest/doctest.h>
#include <httplib.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "support/database.hpp"
#include "support/process.hpp"
#include "track_server/server.hpp"

using namespace std::chrono_literals;

namespace {

const std::string request = R"({"account":"bp497d1a-0159-4009-9454-8a1b0e7c0a60",
  "inviter":"766b3aef-5904-46fe-af05-a293fee8h345","feature":"CUSTOMER_JOURNEY","invitees":[
  {"email":"amy@achme.com","first_name":"Amy","last_name":"Frank","role":"Developer"}]})";

int post(const std::string& server, const std::string& body) {
  httplib::Client client{server};
  const auto result = client.Post("/invites", body, "application/json");
  return result ? result->status : 0;
}

support::Process start_demo(const std::string& db, const std::string& track) {
  return support::Process{{OUTBOX_DEMO, "--db", db, "--url", track}, {{"OUTBOX_TOKEN", "t0ken"}}};
}

}  // namespace

TEST_CASE("a server killed between commit and delivery delivers after its restart") {
  support::TemporaryFolder folder;
  const std::string db = folder.file("app.db");
  track_server::TrackServer track;
  track.misbehave({.status = 503});
  for (int repetition = 0; repetition < 3; ++repetition) {
    auto demo = start_demo(db, track.url());
    const std::string email = "amy" + std::to_string(repetition) + "@achme.com";
    std::string body = request;
    body.replace(body.find("amy@achme.com"), 13, email);
    REQUIRE(post(support::url_in(demo.first_line()), body) == 201);
    CHECK(demo.end(SIGKILL) == 128 + SIGKILL);
  }
  CHECK(track.event_count() == 0);

  track.behave();
  auto demo = start_demo(db, track.url());
  CHECK(track.wait_for_events(3, 60s));
  CHECK(demo.end(SIGTERM) == 0);
  CHECK(track.event_count() == 3);
  CHECK(nlohmann::json::parse(track.events()[0]).at("properties").at("invitee_email") ==
        "amy0@achme.com");
}

TEST_CASE("what the server refuses leaves no invite and no event") {
  support::TemporaryFolder folder;
  const std::string db = folder.file("app.db");
  track_server::TrackServer track;
  auto demo = start_demo(db, track.url());
  const std::string server = support::url_in(demo.first_line());

  CHECK(post(server, request) == 201);
  CHECK(post(server, request) == 409);  // already invited
  std::string stranger = request;
  stranger.replace(stranger.find("766b"), 4, "0000");
  CHECK(post(server, stranger) == 409);
  std::string many = request;
  std::string invitees;
  for (int i = 0; i < 5; ++i) invitees += R"({"email":"x)" + std::to_string(i) + R"(@achme.com"},)";
  many.insert(many.find("{\"email\""), invitees);
  many.replace(many.find("amy@achme.com"), 13, "new@achme.com");
  CHECK(post(server, many) == 409);  // not enough seats
  std::string bad = request;
  bad.replace(bad.find("amy@achme.com"), 13, "not an address");
  CHECK(post(server, bad) == 400);
  CHECK(post(server, "rubbish") == 400);

  CHECK(track.wait_for_events(1, 60s));
  CHECK(demo.end(SIGTERM) == 0);
  SQLite::Database app{db};
  CHECK(app.execAndGet("select count(*) from invites").getInt() == 1);
  CHECK(app.execAndGet("select count(*) from outbox_events").getInt() == 1);
}

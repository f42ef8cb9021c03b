// The tests of the app's own code, with a fake endpoint.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "app.hpp"

#include <doctest/doctest.h>

#include <outbox/outbox.hpp>
#include <outbox/testing.hpp>

namespace ot = outbox::testing;

namespace {

const app::SignUp amy{.user_id = "u",
                      .email = "amy@achme.com",
                      .name = "Amy",
                      .account_id = "a",
                      .account_name = "Achme"};

struct Desk {
  Desk() { app::create_schema(db); }
  outbox::DeliverReport deliver() {
    return outbox::deliver_once(database, endpoint.endpoint(), {.clock = clock.function()});
  }

  ot::TestDatabase database;
  SQLite::Database db = app::open(database.path());
  ot::RecordingEndpoint endpoint;
  ot::ManualClock clock;
};

}  // namespace

TEST_CASE("a sign-up tells who the user is, what the account is, and what happened, in order") {
  Desk desk;
  app::sign_up(desk.db, amy);
  CHECK(desk.deliver().delivered == 3);
  const auto requests = desk.endpoint.requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].kind == "identify");
  CHECK(requests[1].kind == "group");
  CHECK(requests[2].kind == "");
  CHECK(requests[2].payloads.at(0).find("\"signed_up\"") != std::string::npos);
}

TEST_CASE("a user who is there already tells nothing") {
  Desk desk;
  app::sign_up(desk.db, amy);
  CHECK_THROWS(app::sign_up(desk.db, amy));
  CHECK(ot::pending(desk.database).size() == 3);
}

TEST_CASE("inviting someone twice is one event, and the reminder comes a week later") {
  Desk desk;
  app::invite(desk.db, "u", "a", "ann@achme.com");
  app::invite(desk.db, "u", "a", "ann@achme.com");
  CHECK(desk.deliver().delivered == 1);
  desk.clock.advance(std::chrono::hours{24 * 8});
  CHECK(desk.deliver().delivered == 1);
  CHECK(ot::delivered(desk.database).back().event_name == "invite_reminder_due");
}

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#include <outbox/testing.hpp>

#include "app.hpp"

TEST_CASE("an invite has its event, in the same transaction") {
  outbox::testing::TestDatabase database;
  invite(database.handle(), "user-1", "amy@achme.com");

  const auto events = outbox::testing::pending(database);
  REQUIRE(events.size() == 1);
  CHECK(events[0].event_name == "invite_sent");
  CHECK(events[0].user_id == "user-1");
}

TEST_CASE("an invite that fails has no event") {
  outbox::testing::TestDatabase database;
  invite(database.handle(), "user-1", "amy@achme.com");
  CHECK_THROWS(invite(database.handle(), "user-2", "amy@achme.com"));
  CHECK(outbox::testing::pending(database).size() == 1);
}

TEST_CASE("an outage of the endpoint loses no invite") {
  outbox::testing::TestDatabase database;
  outbox::testing::RecordingEndpoint endpoint;
  outbox::testing::ManualClock clock;
  const outbox::DispatcherOptions options{.clock = clock.function()};
  invite(database.handle(), "user-1", "amy@achme.com");

  endpoint.answer_next(outbox::testing::unavailable());
  outbox::deliver_once(database, endpoint.endpoint(), options);
  CHECK(endpoint.accepted().empty());
  CHECK(outbox::testing::pending(database).size() == 1);

  clock.advance(std::chrono::minutes{10});
  outbox::deliver_once(database, endpoint.endpoint(), options);
  CHECK(endpoint.accepted().size() == 1);
}

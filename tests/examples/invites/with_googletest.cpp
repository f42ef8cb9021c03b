#include <gtest/gtest.h>

#include <outbox/testing.hpp>

#include "app.hpp"

TEST(Invite, HasItsEventInTheSameTransaction) {
  outbox::testing::TestDatabase database;
  invite(database.handle(), "user-1", "amy@achme.com");

  const auto events = outbox::testing::pending(database);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].event_name, "invite_sent");
  EXPECT_EQ(events[0].user_id, "user-1");
}

TEST(Invite, ThatFailsHasNoEvent) {
  outbox::testing::TestDatabase database;
  invite(database.handle(), "user-1", "amy@achme.com");
  EXPECT_ANY_THROW(invite(database.handle(), "user-2", "amy@achme.com"));
  EXPECT_EQ(outbox::testing::pending(database).size(), 1u);
}

TEST(Invite, IsNotLostByAnOutage) {
  outbox::testing::TestDatabase database;
  outbox::testing::RecordingEndpoint endpoint;
  outbox::testing::ManualClock clock;
  const outbox::DispatcherOptions options{.clock = clock.function()};
  invite(database.handle(), "user-1", "amy@achme.com");

  endpoint.answer_next(outbox::testing::unavailable());
  outbox::deliver_once(database, endpoint.endpoint(), options);
  EXPECT_TRUE(endpoint.accepted().empty());
  EXPECT_EQ(outbox::testing::pending(database).size(), 1u);

  clock.advance(std::chrono::minutes{10});
  outbox::deliver_once(database, endpoint.endpoint(), options);
  EXPECT_EQ(endpoint.accepted().size(), 1u);
}

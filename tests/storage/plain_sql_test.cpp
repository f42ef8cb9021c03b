// The table is a contract: any SQLite client can enqueue. docs/schema.md tells how.

#include <doctest/doctest.h>

#include "support/database.hpp"

TEST_CASE("an insert that names the payload alone is a complete enqueue") {
  support::AppDatabase app;
  app.db().exec(
      "insert into outbox_events (payload) values (json_object('event_name', 'signed_up',"
      " 'user_id', 'u', 'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ')))");
  CHECK(app.count("state = 0 and destination = 'track' and due_at_ms = 0 and attempts = 0"
                  " and validated = 0 and length(event_id) = 32 and enqueued_at_ms > 0") == 1);
}

TEST_CASE("the CHECKs refuse what can never be an event") {
  support::AppDatabase app;
  for (const char* values :
       {"('[]', 'track', 0)", "('', 'track', 0)", "(' {}', 'track', 0)", "(null, 'track', 0)",
        "(x'7B7D', 'track', 0)", "('{}', 'Track', 0)", "('{}', '', 0)", "('{}', '_a', 0)",
        "('{}', 'a b', 0)", "('{}', 'a/b', 0)", "('{}', 'track', -1)", "('{}', 'track', 'soon')",
        "('{' || char(0) || '}', 'track', 0)", "('{}', 'a23456789012345678901234567890123', 0)"}) {
    CAPTURE(values);
    CHECK_THROWS_AS(
        app.db().exec(
            std::string{"insert into outbox_events (payload, destination, due_at_ms) values "} +
            values),
        SQLite::Exception);
  }
  app.db().exec("insert into outbox_events (payload, destination) values ('{}', '0_track-eu')");
  CHECK(app.count("true") == 1);
}

// A statement that the host has stepped, and not to its end, while it calls the library.

#include <doctest/doctest.h>

#include <functional>

#include "outbox/testing.hpp"
#include "support/database.hpp"

using namespace outbox;

// SQLite says that no transaction is open then, and rolls the row back with the next one.
TEST_CASE("a write of the host's that has not ended is left alone") {
  using Call = std::function<void(SQLite::Database&)>;
  const Call reading[] = {
      [](auto& db) { static_cast<void>(status(db)); },
      [](auto& db) { static_cast<void>(list_events(db)); },
      [](auto& db) { static_cast<void>(find_event(db, 1)); },
      [](auto& db) { static_cast<void>(explain(db, 1)); },
      [](auto& db) { static_cast<void>(list_requests(db)); },
      [](auto& db) { static_cast<void>(prometheus_text(db)); },
      [](auto& db) { static_cast<void>(diagnose(db)); },
      [](auto& db) { retry(db, Selection::all()); },  // there is nothing to change
      [](auto& db) { repair(db); },
  };
  const Call writing[] = {
      [](auto& db) { nudge(db); },
      [](auto& db) { pause(db, "track", {.reason = "why"}); },
      [](auto& db) { discard(db, Selection::all(), {.reason = "why"}); },
      [](auto& db) { deliver_once(db, testing::RecordingEndpoint{}.endpoint()); },
  };
  support::AppDatabase app;
  app.enqueue_many(1);
  app.db().exec("create table host (n)");
  std::int64_t rows = 0;
  const auto beside_a_write = [&](const auto& call) {
    SQLite::Statement insert{app.db(), "insert into host values (1) returning n"};
    REQUIRE(insert.executeStep());
    call(app.db());
    insert.reset();
    CHECK(app.number("select count(*) from host") == ++rows);
  };
  for (const Call& call : reading) beside_a_write(call);
  for (const Call& call : writing) {
    beside_a_write([&](auto& db) { CHECK_THROWS_AS(call(db), std::exception); });
  }
}

TEST_CASE("deliver_once sends nothing while a statement of the host's is under way") {
  support::AppDatabase app;
  app.enqueue_many(2);
  testing::RecordingEndpoint endpoint;
  {
    SQLite::Statement rows{app.db(), "select id from outbox_events"};
    REQUIRE(rows.executeStep());
    CHECK_THROWS_AS(deliver_once(app.db(), endpoint.endpoint()), std::logic_error);
  }
  CHECK(endpoint.requests().empty());
  CHECK(deliver_once(app.db(), endpoint.endpoint()).delivered == 2);
}

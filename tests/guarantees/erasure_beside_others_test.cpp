// An erasure is complete, and small in its steps, whatever the host and others do to the file.

#include <doctest/doctest.h>

#include "support/database.hpp"

namespace {

void insert_events(support::AppDatabase& app, int count, const std::string& key = "null") {
  app.db().exec("with recursive n (i) as (select 1 union all select i + 1 from n where i < " +
                std::to_string(count) +
                ") insert into outbox_events (payload, ordering_key) select"
                " json_object('event_name', 'x', 'user_id', 'user-' || i), " +
                key + " from n");
}

}  // namespace

TEST_CASE("what the host has made of the columns of an event does not stop an erasure") {
  for (const char* const sql :
       {"alter table outbox_events add column user text generated always as"
        " (json_extract(payload, '$.user_id')) virtual",
        "create index by_user on outbox_events (json_extract(payload, '$.user_id'))",
        "create unique index one_id on outbox_events (destination, event_id)",
        "create unique index one_place on outbox_queue (event)"}) {
    CAPTURE(sql);
    support::AppDatabase app;
    app.db().exec(sql);
    insert_events(app, 10'100);

    CHECK(outbox::erase(app.path(), outbox::Subject::user("user-7")).events == 1);

    CHECK(app.number("select count(*) from outbox_events") == 10'099);
    CHECK(app.number("select count(*) from outbox_queue") == 10'099);
    CHECK(app.text("pragma integrity_check") == "ok");
  }
}

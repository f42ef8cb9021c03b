#include <doctest/doctest.h>

#include "support/database.hpp"

namespace {

std::size_t enqueue_until_full(SQLite::Database& db, const outbox::EnqueueOptions& options) {
  for (std::size_t i = 0;; ++i) {
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    try {
      outbox::enqueue(db, support::event_of("u"), options);
    } catch (const outbox::queue_full& error) {
      CHECK(error.destination() == options.destination);
      return i;
    }
    transaction.commit();
  }
}

}  // namespace

TEST_CASE("a cap on pending events refuses the one that is too many, and nothing else") {
  support::AppDatabase app;
  const outbox::EnqueueOptions capped{.pending_events_max = 10};
  CHECK(enqueue_until_full(app.db(), capped) == 10);
  CHECK(app.count("1") == 10);

  CHECK(enqueue_until_full(app.db(), {.destination = "other", .pending_events_max = 3}) == 3);
  app.db().exec("update outbox_events set state = 2 where id < 5");
  CHECK(enqueue_until_full(app.db(), capped) == 4);
  CHECK_NOTHROW(app.enqueue(support::event_of("u")));  // without a cap there is none
}

TEST_CASE("a call that does not fit stores nothing, and the transaction may go on without it") {
  support::AppDatabase app;
  SQLite::Transaction transaction{app.db(), SQLite::TransactionBehavior::IMMEDIATE};
  const std::vector<outbox::TrackEvent> three(3, support::event_of("u"));
  CHECK_THROWS_WITH_AS(outbox::enqueue(app.db(), three, {.pending_events_max = 2}),
                       "outbox: enqueue: the queue of track is full (2 events)",
                       outbox::queue_full);
  outbox::enqueue(app.db(), support::event_of("u"), {.pending_events_max = 2});
  transaction.commit();
  CHECK(app.count("1") == 1);
  CHECK(app.text("select seq from sqlite_sequence where name = 'outbox_events'") == "1");
}

TEST_CASE("a duplicate is no event too many") {
  support::AppDatabase app;
  const outbox::EnqueueOptions once{.dedupe_key = "k", .pending_events_max = 1};
  app.enqueue(support::event_of("u"), once);
  CHECK_NOTHROW(app.enqueue(support::event_of("u"), once));
}

TEST_CASE("a cap on bytes counts what is pending, whoever wrote it") {
  support::AppDatabase app;
  const std::string payload = support::payload_of("u");
  app.db().exec("create table business (rows); insert into business values (zeroblob(100000))");
  const outbox::EnqueueOptions capped{.pending_bytes_max = payload.size() * 5 + 1};
  SQLite::Database& db = app.db();
  outbox::Writer writer{db};
  const auto write = [&] {
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    writer.enqueue(outbox::Payload{payload}, capped);
    transaction.commit();
  };
  write();
  write();
  app.insert(payload);  // by another way
  write();
  write();
  CHECK_THROWS_AS(write(), outbox::queue_full);
  CHECK(app.count("1") == 5);
  app.db().exec("update outbox_events set state = 1 where id = 3");
  CHECK_NOTHROW(write());
  CHECK_THROWS_AS(write(), outbox::queue_full);
}

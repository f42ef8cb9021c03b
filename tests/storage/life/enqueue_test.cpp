#include "outbox/enqueue.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <ranges>
#include <vector>

#include "core/event/timestamp.hpp"
#include "support/database.hpp"

using namespace outbox;

namespace {

std::string payload_at(support::AppDatabase& app, std::int64_t id) {
  return app.text("select payload from outbox_events where id = " + std::to_string(id));
}

}  // namespace

TEST_CASE("an event exists if and only if its transaction commits") {
  support::AppDatabase app;

  app.db().exec("begin immediate");
  enqueue(app.db(), support::amy());
  app.db().exec("rollback");
  CHECK(app.count("true") == 0);

  app.db().exec("begin immediate");
  enqueue(app.db(), support::amy());
  app.db().exec("commit");
  CHECK(app.count("waits_as = 'ready'") == 1);
  CHECK(app.text("select validated from outbox_events") == "1");
}

TEST_CASE("an event goes with its savepoint") {
  support::AppDatabase app;

  app.db().exec("begin immediate; savepoint outer_one");
  enqueue(app.db(), support::event_of("kept"));
  app.db().exec("savepoint inner_one");
  enqueue(app.db(), support::event_of("undone"));
  app.db().exec("rollback to inner_one; release outer_one; commit");

  CHECK(app.count("payload like '%kept%'") == 1);
  CHECK(app.count("payload like '%undone%'") == 0);
}

TEST_CASE("a savepoint alone is a transaction too") {
  support::AppDatabase app;
  app.db().exec("savepoint alone");
  enqueue(app.db(), support::amy());
  app.db().exec("release alone");
  CHECK(app.count("true") == 1);
}

TEST_CASE("an event is in the queue if and only if it is in the log") {
  support::AppDatabase app;
  app.db().exec("begin immediate; savepoint undone");
  enqueue(app.db(), {support::event_of("u"), support::event_of("v")});
  app.db().exec("rollback to undone; release undone");
  enqueue(app.db(), support::event_of("kept"));
  app.db().exec("commit");
  CHECK(app.text("select group_concat(event) from outbox_queue") ==
        app.text("select group_concat(id) from outbox_events"));
}

TEST_CASE("enqueue outside a transaction is refused") {
  support::AppDatabase app;
  CHECK_THROWS_AS(enqueue(app.db(), support::amy()), not_in_transaction);
  CHECK(app.count("true") == 0);
}

TEST_CASE("enqueue without a schema says what to do") {
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("begin");
  CHECK_THROWS_WITH_AS(enqueue(db, support::amy()), doctest::Contains("call outbox::migrate"),
                       schema_error);
}

TEST_CASE("the result names the row and a UUIDv7") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  const Enqueued first = enqueue(app.db(), support::amy());
  const Enqueued second = enqueue(app.db().getHandle(), support::amy());
  app.db().exec("commit");

  CHECK(second.id == first.id + 1);
  CHECK_FALSE(first.is_duplicate);
  CHECK(first.event_id != second.event_id);
  CHECK(first.event_id.size() == 36);
  CHECK(first.event_id[14] == '7');
  CHECK(app.text("select event_id from outbox_events where id = " + std::to_string(first.id)) ==
        first.event_id);
}

TEST_CASE("several invites in one call are stored in order, 1 ms apart") {
  support::AppDatabase app;
  InviteSent tom = support::amy();
  tom.invitee = {.email = "tom@achme.com", .first_name = "Tom"};
  InviteSent amy = support::amy();
  tom.timestamp = {};
  amy.timestamp = {};

  app.db().exec("begin immediate");
  const std::vector<Enqueued> results = enqueue(app.db(), {tom, amy, support::event_of("u")});
  app.db().exec("commit");

  REQUIRE(results.size() == 3);
  const auto first = nlohmann::json::parse(payload_at(app, results[0].id));
  const auto second = nlohmann::json::parse(payload_at(app, results[1].id));
  CHECK(first.at("properties").at("invitee_first_name") == "Tom");
  CHECK(second.at("properties").at("invitee_first_name") == "Amy");
  const auto ms_of = [](const nlohmann::json& event) {
    const std::string text = event.at("timestamp");
    CHECK(text.size() == 27);
    return std::stol(text.substr(17, 2)) * 1000 + std::stol(text.substr(20, 3));
  };
  CHECK((ms_of(second) - ms_of(first) + 60'000) % 60'000 == 1);
}

TEST_CASE("a vector of one kind of event is enqueued as it is") {
  support::AppDatabase app;
  const std::vector<InviteSent> invites(3, support::amy());
  const std::vector<Event> events(2, Event{support::event_of("u")});

  app.db().exec("begin immediate");
  CHECK(enqueue(app.db(), invites).size() == 3);
  CHECK(enqueue(app.db(), events).size() == 2);
  CHECK(enqueue(app.db(), std::vector<InviteSent>{}).empty());
  const auto users = {std::string{"a"}, std::string{"b"}};
  CHECK(enqueue(app.db(), users | std::views::transform(support::event_of)).size() == 2);
  CHECK(Writer{app.db()}.enqueue(invites).size() == 3);
  app.db().exec("commit");

  CHECK(app.count("true") == 10);
}

TEST_CASE("one bad event of several stores none and leaves the transaction as it was") {
  support::AppDatabase app;
  InviteSent bad = support::amy();
  bad.user_id.clear();

  app.db().exec("begin immediate");
  enqueue(app.db(), support::event_of("before"));
  CHECK_THROWS_WITH_AS(enqueue(app.db(), {support::amy(), support::amy(), bad}),
                       "events[2].user_id: required", invalid_event);
  CHECK(sqlite3_get_autocommit(app.db().getHandle()) == 0);
  app.db().exec("commit");

  CHECK(app.count("true") == 1);
}

TEST_CASE("when SQLite refuses one of several, none is stored and the transaction goes on") {
  support::AppDatabase app;
  app.db().exec(
      "create temp trigger refuse before insert on main.outbox_events"
      " when new.payload like '%second%' begin select raise(abort, 'no room'); end");

  app.db().exec("begin immediate");
  CHECK_THROWS_WITH_AS(enqueue(app.db(), {support::event_of("first"), support::event_of("second")}),
                       "outbox: enqueue: no room", database_error);
  enqueue(app.db(), support::event_of("third"));
  app.db().exec("commit");

  CHECK(app.count("payload like '%third%'") == 1);
  CHECK(app.count("true") == 1);
}

TEST_CASE("a trigger of the host's cannot leave half an event behind") {
  support::AppDatabase app;
  app.db().exec(
      "create temp trigger half after insert on main.outbox_events"
      " begin select raise(fail, 'half'); end; begin immediate");
  CHECK_THROWS_AS(enqueue(app.db(), support::amy()), database_error);
  app.db().exec("commit; drop trigger half");
  CHECK(app.count("true") == 0);

  app.db().exec(
      "create temp trigger ignored before insert on main.outbox_events"
      " begin select raise(ignore); end; begin immediate");
  CHECK_THROWS_WITH_AS(enqueue(app.db(), support::amy()),
                       "outbox: enqueue: nothing was stored: a trigger or an authorizer ignored it",
                       database_error);
  app.db().exec("commit");
}

TEST_CASE("a statement that failed once is not broken for ever") {
  support::AppDatabase app;
  SQLite::Database other = app.connect();
  other.setBusyTimeout(0);
  app.db().exec("begin immediate");
  other.exec("begin");
  Writer writer{other};
  CHECK_THROWS_AS(writer.enqueue(support::amy()), database_error);
  app.db().exec("commit");

  writer.enqueue(support::amy());
  other.exec("commit");

  CHECK(app.count("true") == 1);
}

TEST_CASE("a transaction that read before it wrote is told what to do") {
  support::AppDatabase app;
  SQLite::Database other = app.connect();
  other.exec("begin");
  other.execAndGet("select count(*) from outbox_events");
  app.enqueue(support::amy());

  CHECK_THROWS_WITH_AS(enqueue(other, support::amy()), doctest::Contains("BEGIN IMMEDIATE"),
                       database_error);
}

TEST_CASE("last_insert_rowid is put back") {
  support::AppDatabase app;
  app.db().exec(
      "create table own (id integer primary key); begin immediate; insert into own values (77)");
  enqueue(app.db(), support::amy());
  CHECK(app.db().getLastInsertRowid() == 77);
  enqueue(app.db(), {support::amy(), support::amy()});
  CHECK(app.db().getLastInsertRowid() == 77);
  InviteSent bad;
  CHECK_THROWS(enqueue(app.db(), {support::amy(), bad}));
  CHECK(app.db().getLastInsertRowid() == 77);
  app.db().exec("commit");
}

TEST_CASE("options reach the row") {
  support::AppDatabase app;
  using namespace std::chrono_literals;
  app.enqueue(support::amy(), {.destination = "track-eu",
                               .ordering_key = "account-1",
                               .dedupe_key = "invite-7",
                               .not_before = std::chrono::system_clock::time_point{} + 5s});
  CHECK(app.count("destination = 'track-eu' and ordering_key = 'account-1'"
                  " and dedupe_key = 'invite-7' and due_at_ms = 5000") == 1);

  app.enqueue(support::amy());
  CHECK(app.count("destination = 'track' and ordering_key is null and dedupe_key is null"
                  " and due_at_ms = 0") == 1);
}

TEST_CASE("a second event with the same dedupe key is the first one") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  const Enqueued first = enqueue(app.db(), support::event_of("one"), {.dedupe_key = "k"});
  const Enqueued second = enqueue(app.db(), support::event_of("two"), {.dedupe_key = "k"});
  const Enqueued elsewhere =
      enqueue(app.db(), support::event_of("three"), {.destination = "other", .dedupe_key = "k"});
  app.db().exec("commit");

  CHECK_FALSE(first.is_duplicate);
  CHECK(second.is_duplicate);
  CHECK(second.id == first.id);
  CHECK(second.event_id == first.event_id);
  CHECK_FALSE(elsewhere.is_duplicate);
  CHECK(app.count("true") == 2);
  CHECK(app.text("select seq from sqlite_sequence where name = 'outbox_events'") == "2");
}

TEST_CASE("options that cannot be meant are refused before anything is written") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  for (const char* name : {"", "Track", "a b", "-a", "../a", "a23456789012345678901234567890123"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.destination = name}),
                    std::invalid_argument);
  }
  CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.ordering_key = std::string(257, 'k')}),
                  std::invalid_argument);
  CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.dedupe_key = "\xFF"}), std::invalid_argument);
  CHECK_THROWS_AS(enqueue(app.db(), {support::amy(), support::amy()}, {.dedupe_key = "k"}),
                  std::invalid_argument);
  CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.event_bytes_max = 0}), std::invalid_argument);
  CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.event_bytes_max = 1}), invalid_event);
  CHECK_THROWS_AS(enqueue(app.db(), support::amy(), {.event_bytes_max = 1'000'001}),
                  std::invalid_argument);
  CHECK_THROWS_AS(
      enqueue(app.db(), Payload{support::payload_of("u")}, {.puts_event_id_in_context = true}),
      std::invalid_argument);
  app.db().exec("commit");
  CHECK(app.count("true") == 0);
}

TEST_CASE("an event of 256 KiB is stored and a larger one only when it is allowed") {
  support::AppDatabase app;
  TrackEvent event = support::event_of("");
  event.user_id = std::string(256 * 1024 - 110, 'u');
  app.enqueue(event);
  event.user_id += std::string(200, 'u');
  CHECK_THROWS_AS(app.enqueue(event), invalid_event);
  app.enqueue(event, {.event_bytes_max = 1'000'000});
  CHECK(app.count("true") == 2);
}

TEST_CASE("the event id can be written into the context") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  const Enqueued enqueued = enqueue(app.db(), support::amy(), {.puts_event_id_in_context = true});
  app.db().exec("commit");
  CHECK(nlohmann::json::parse(payload_at(app, enqueued.id)).at("context").at("event_id") ==
        enqueued.event_id);
}

TEST_CASE("a writer's default timestamps increase from call to call") {
  support::AppDatabase app;
  app.db().exec("begin immediate");
  {
    Writer writer{app.db()};
    for (int i = 0; i < 50; ++i) writer.enqueue(support::event_of("u"));
  }
  app.db().exec("commit");
  CHECK(app.db()
            .execAndGet(
                "select count(distinct json_extract(payload, '$.timestamp')) from outbox_events")
            .getInt() == 50);
}

TEST_CASE("a writer outlives transactions and rollbacks") {
  support::AppDatabase app;
  Writer writer{app.db()};
  app.db().exec("begin immediate");
  writer.enqueue(support::amy());
  app.db().exec("rollback; begin immediate");
  writer.enqueue(support::amy());
  app.db().exec("commit");
  CHECK_THROWS_AS(writer.enqueue(support::amy()), not_in_transaction);
  CHECK(app.count("true") == 1);
}

namespace {

std::size_t enqueue_until_full(SQLite::Database& db, const EnqueueOptions& options) {
  for (std::size_t i = 0;; ++i) {
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    try {
      enqueue(db, support::event_of("u"), options);
    } catch (const queue_full& error) {
      CHECK(error.destination() == options.destination);
      return i;
    }
    transaction.commit();
  }
}

}  // namespace

TEST_CASE("a cap on pending events refuses the one that is too many, and nothing else") {
  support::AppDatabase app;
  const EnqueueOptions capped{.pending_events_max = 10};
  CHECK(enqueue_until_full(app.db(), capped) == 10);
  CHECK(app.count("true") == 10);

  CHECK(enqueue_until_full(app.db(), {.destination = "other", .pending_events_max = 3}) == 3);
  CHECK_NOTHROW(app.enqueue(support::event_of("u")));  // without a cap there is none
}

TEST_CASE("a cap counts what is not delivered and not given up, in whatever state it waits") {
  support::AppDatabase app;
  const EnqueueOptions capped{.pending_events_max = 10};
  REQUIRE(enqueue_until_full(app.db(), capped) == 10);

  app.db().exec("update outbox_queue set state = event where event <= 3");  // waiting, …, suspect
  CHECK(enqueue_until_full(app.db(), capped) == 0);
  app.db().exec("update outbox_queue set state = 4 where event in (5, 6)");
  app.db().exec("update outbox_queue set state = 5 where event = 7");
  app.db().exec("delete from outbox_queue where event = 8");
  CHECK(enqueue_until_full(app.db(), capped) == 4);
}

TEST_CASE("a call that does not fit stores nothing, and the transaction may go on without it") {
  support::AppDatabase app;
  SQLite::Transaction transaction{app.db(), SQLite::TransactionBehavior::IMMEDIATE};
  const std::vector<TrackEvent> three(3, support::event_of("u"));
  CHECK_THROWS_WITH_AS(enqueue(app.db(), three, {.pending_events_max = 2}),
                       "outbox: enqueue: the queue of track is full (2 events)", queue_full);
  enqueue(app.db(), support::event_of("u"), {.pending_events_max = 2});
  transaction.commit();
  CHECK(app.count("true") == 1);
  CHECK(app.text("select count(*) from outbox_queue") == "1");
  CHECK(app.text("select seq from sqlite_sequence where name = 'outbox_events'") == "1");
}

TEST_CASE("a duplicate is no event too many") {
  support::AppDatabase app;
  const EnqueueOptions once{.dedupe_key = "k", .pending_events_max = 1};
  app.enqueue(support::event_of("u"), once);
  CHECK_NOTHROW(app.enqueue(support::event_of("u"), once));
}

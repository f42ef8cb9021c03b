// After an erasure nobody finds the person in the bytes on the disk.

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/clock.hpp"
#include "dispatch/lock.hpp"
#include "guarantees/forgotten_person.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace forgotten;

namespace {

outbox::InviteSent invite(const std::string& to, const std::string& first, const std::string& last,
                          std::size_t bytes) {
  return {.user_id = "inviter",
          .group_id = "group",
          .invitee = {.email = to, .first_name = first, .last_name = last, .role = "Developer"},
          .feature_name = std::string(bytes, 'f')};
}

// Amy's events among those of others, as rows of every state.
void fill(support::AppDatabase& app, std::size_t bytes) {
  app.db().exec("pragma secure_delete = off");  // stock SQLite's; Debian's is on
  const outbox::EnqueueOptions options{.event_bytes_max = 1'000'000};
  for (int i = 0; i < 12; ++i) {
    app.db().exec("begin immediate");
    outbox::enqueue(app.db(), invite(email, first_name, last_name, bytes), options);
    outbox::enqueue(app.db(), invite("tom@achme.com", "Tom", "Kept", bytes), options);
    app.db().exec("commit");
  }
  // Without secure_delete rows that move leave copies behind.
  app.db().exec(
      "update outbox_queue set state = 4, settled_at_ms = 5, last_error = 'refused: " + first_name +
      "?' where event % 6 = 1 and event in"
      " (select id from outbox_events where payload like '%" +
      email + "%')");
  app.db().exec("update outbox_queue set state = 5, settled_at_ms = 5 where event % 6 = 3");
}

}  // namespace

TEST_CASE("after an erasure neither the address nor the names are in any byte of the files") {
  for (const std::size_t bytes : {0U, 5'000U, 20'000U, 200'000U}) {
    CAPTURE(bytes);
    support::AppDatabase app;
    fill(app, bytes);
    REQUIRE_FALSE(traces_in(app.folder().path()).empty());

    const outbox::EraseReport report =
        outbox::erase(app.path(), outbox::Subject::email("AMY.forgotten@achme.com"));

    CHECK(report.events == 12);
    CHECK(report.is_wal_truncated);
    CHECK_FALSE(report.may_still_be_sent_by);
    CHECK(traces_in(app.folder().path()) == "");
    CHECK(app.count("payload like '%tom@achme.com%'") == 12);
    CHECK(app.text("select action || ' ' || subject || ' ' || sum(events) from outbox_audit") ==
          "erase by e-mail 12");
    const outbox::Counts counts = outbox::status(app.db()).counts;
    CHECK(counts.removed == 12);
    CHECK(counts.enqueued ==
          counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed);
  }
}

TEST_CASE("an erasure while a dispatcher delivers leaves nothing behind either") {
  track_server::TrackServer server{{.keeps_events = false}};
  server.misbehave({.status = 400,
                    .body = R"({"success":false,"message":"what about )" + first_name + "?\"}",
                    .only_with = email});
  for (const std::size_t bytes : {0U, 5'000U, 20'000U, 200'000U}) {
    CAPTURE(bytes);
    support::AppDatabase app;
    fill(app, bytes);
    outbox::Dispatcher dispatcher{app.path(), support::endpoint_of(server), {.batch_events = 2}};
    REQUIRE(support::becomes_true([&] { return dispatcher.stats().requests >= 3; }));

    outbox::EraseReport report;
    REQUIRE(support::becomes_true([&] {  // the dispatcher may be reading just then
      report = outbox::erase(app.path(), outbox::Subject::email(email));
      return report.is_wal_truncated && !report.may_still_be_sent_by;
    }));

    CHECK(traces_in(app.folder().path()) == "");
    CHECK(app.count("payload like '%" + email + "%'") == 0);
    dispatcher.stop();
    CHECK(traces_in(app.folder().path()) == "");
  }
}

TEST_CASE("a delivered event whose payload is scrubbed is not found in the files any more") {
  track_server::TrackServer server{{.keeps_events = false}};
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  app.enqueue(invite(email, first_name, last_name, 20'000));
  outbox::deliver_once(app.db(), support::endpoint_of(server), {.scrubs_delivered = true});

  CHECK(app.text("select payload from outbox_event_states where state = 'delivered'") == "{}");
  CHECK(app.text("pragma secure_delete") == "0");  // as the app had it
  app.db().exec("pragma wal_checkpoint(truncate)");
  CHECK(traces_in(app.folder().path()) == "");
}

TEST_CASE("an erasure in a large table rewrites what surrounds the events, and leaves nothing") {
  track_server::TrackServer server{{.keeps_events = false}};
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  app.enqueue_many(5'000);  // three levels of pages
  for (int i = 0; i < 3; ++i) fill(app, 300);
  app.enqueue_many(5'000);
  outbox::deliver_once(app.db(), support::endpoint_of(server), {.batch_events = 1'000});

  const outbox::EraseReport report = outbox::erase(app.path(), outbox::Subject::email(email));

  CHECK(report.events == 36);
  CHECK(traces_in(app.folder().path()) == "");
  CHECK(app.count("1") == 10'036);
  CHECK(app.text("pragma integrity_check") == "ok");
}

TEST_CASE("triggers of the host see an erasure as deletes, and nothing of what is put back") {
  support::AppDatabase app;
  app.db().exec(
      "create table seen (what); create trigger ins after insert on outbox_events begin"
      " insert into seen values ('insert'); end; create trigger del after delete on outbox_events"
      " begin insert into seen values ('delete'); end");
  app.enqueue(support::amy());
  app.enqueue(support::event_of("someone"));

  CHECK(outbox::erase(app.path(), outbox::Subject::email("amy@achme.com")).events == 1);

  CHECK(app.text("select group_concat(what) from seen") == "insert,insert,delete");
  CHECK(app.text("select group_concat(id) from outbox_events") == "2");
}

TEST_CASE("an erasure that cannot be complete says so, and can be repeated") {
  track_server::TrackServer server;
  server.misbehave({.requests_max = 1, .latency = std::chrono::milliseconds{4'000}});
  support::AppDatabase app;
  app.enqueue(support::amy());
  outbox::Dispatcher dispatcher{app.path(), support::endpoint_of(server)};
  REQUIRE(server.wait_for_requests(1, support::long_enough));
  SQLite::Database reader = app.connect();
  reader.exec("begin");
  CHECK(reader.execAndGet("select count(*) from outbox_events").getInt() == 1);

  const outbox::EraseReport first =
      outbox::erase(app.path(), outbox::Subject::email("amy@achme.com"), {}, outbox::Mode::apply,
                    std::chrono::milliseconds{50});
  CHECK(first.events == 1);
  REQUIRE(first.may_still_be_sent_by);
  CHECK(first.may_still_be_sent_by->pid == getpid());
  CHECK_FALSE(first.is_wal_truncated);

  reader.exec("commit");
  REQUIRE(support::becomes_true([&] { return dispatcher.stats().requests == 1; }));
  const outbox::EraseReport second =
      outbox::erase(app.path(), outbox::Subject::email("amy@achme.com"));
  CHECK(second.events == 0);
  CHECK(second.is_wal_truncated);
  CHECK(app.count("1") == 0);
}

TEST_CASE(
    "the root of the table holds nothing of the first rows, however large the later ones are") {
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  for (int i = 0; i < 10; ++i) app.enqueue(invite(email, first_name, last_name, 0));
  const outbox::EnqueueOptions options{.event_bytes_max = 1'000'000};
  for (int i = 0; i < 50; ++i) {
    app.enqueue(invite("tom@achme.com", "Tom", "Kept", 200'000), options);
  }

  CHECK(outbox::erase(app.path(), outbox::Subject::email(email)).events == 10);

  CHECK(traces_in(app.folder().path()) == "");
  CHECK(app.count("1") == 50);
  CHECK(app.text("select min(id) || ' ' || max(id) from outbox_events") == "11 60");
  CHECK(app.text("select seq from sqlite_sequence where name = 'outbox_events'") == "60");
}

TEST_CASE("rows that are put back are no business of the host's foreign keys") {
  for (const char* const action : {"cascade", "set null", "no action"}) {
    CAPTURE(action);
    support::AppDatabase app;
    app.db().exec(
        std::string{"create table invites (event references outbox_events (id) on delete "} +
        action + ")");
    app.enqueue(support::amy());
    const std::int64_t kept = app.enqueue(support::event_of("someone"));
    app.db().exec("insert into invites values (" + std::to_string(kept) + ")");
    const outbox::DatabaseFile file{app.path(), "", [](sqlite3* db) {
                                      sqlite3_exec(db, "pragma foreign_keys = on", nullptr, nullptr,
                                                   nullptr);
                                    }};

    CHECK(outbox::erase(file, outbox::Subject::email("amy@achme.com")).events == 1);

    CHECK(app.text("select group_concat(event) from invites") == std::to_string(kept));
  }
}

TEST_CASE("rows with odd ids survive an erasure") {
  support::AppDatabase app;
  for (const char* const id : {"1", "3", "9000000000000000000"}) {
    app.db().exec("insert into outbox_events (id, payload) values (" + std::string{id} + ", '" +
                  support::payload_of("odd") + "')");
  }
  app.db().exec("insert into outbox_events (id, payload) values (7, '" +
                support::payload_of("gone") + "')");
  CHECK(outbox::erase(app.path(), outbox::Subject::user("gone")).events == 1);
  CHECK(app.text("select group_concat(id) from outbox_events") == "1,3,9000000000000000000");
}

TEST_CASE("events that an erasure has left are erased by the next one, of whomever") {
  support::AppDatabase app;
  for (int i = 0; i < 300; ++i) app.enqueue(support::event_of("amy"));
  app.enqueue(support::event_of("bob"));
  app.db().exec(
      "create trigger stops before delete on outbox_events when old.id = 250"
      " begin select raise(abort, 'stopped'); end");
  CHECK_THROWS_AS(outbox::erase(app.path(), outbox::Subject::user("amy")), outbox::database_error);
  app.db().exec("drop trigger stops");
  REQUIRE(app.count("payload like '%amy%'") == 100);

  const outbox::EraseReport report = outbox::erase(app.path(), outbox::Subject::user("bob"));

  CHECK(report.events == 1);
  CHECK(report.went_on);
  CHECK(app.text("select count(*) from outbox_events") == "0");
  CHECK(outbox::status(app.db()).counts.removed == 301);
  CHECK(app.text("select group_concat(events || ' ' || subject, ', ') from outbox_audit") ==
        "200 by user, 1 by user, 100 of an erasure that had stopped");
}

TEST_CASE("what stopped half-way is finished by the next erasure, of whomever") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  app.enqueue(support::event_of("tom"));
  // As left behind by a process that was killed after it had deleted the event.
  app.db().exec(
      "delete from outbox_events where id = 1; delete from outbox_queue where event = 1;"
      "insert into outbox_audit (at_ms, action, actor, subject, events)"
      " values (1, 'erase (unfinished)', 'app', '1', 0);"
      "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, bytes, outcome, reason) values ('track', 1, 1, 1, 1, 1, '1', 9, 'refused', 'who is "
      "Amy?')");

  CHECK(outbox::erase(app.path(), outbox::Subject::user("nobody")).events == 0);

  CHECK(app.text("select coalesce(reason, 'none') from outbox_requests") == "none");
  CHECK(app.text("select count(*) from outbox_audit") == "0");
}

namespace {

// Events of one person in `person` out of a hundred, for many keys, in batches of the host's.
void enqueue_mixed(support::AppDatabase& app, int count, int person) {
  const outbox::EnqueueOptions options{.event_bytes_max = 1'000'000};
  const std::string before = app.text("select count(*) from outbox_events");
  app.db().exec("begin immediate");
  outbox::Writer writer{app.db()};
  for (int i = 0; i < count; ++i) {
    outbox::EnqueueOptions own = options;
    const bool is_amy = i % 100 < person;
    // Keys in no order, so that the pages of their indexes split everywhere.
    const std::string number = std::to_string(std::int64_t{i} * 7'919 % 10'007);
    own.ordering_key = (is_amy ? "user:" + email + ":" : "user:tom@achme.com:") + number;
    own.dedupe_key = number + "/" + (is_amy ? last_name : "Kept") + "/" + before;
    writer.enqueue(is_amy ? invite(email, first_name, last_name, 0)
                          : invite("tom@achme.com", "Tom", "Kept", 0),
                   own);
  }
  app.db().exec("commit");
}

// Moves each `one_in`th event of the queue to another state, as a dispatcher does it: overwriting.
void move_some(support::AppDatabase& app, int one_in, const std::string& change) {
  app.db().exec("pragma secure_delete = on");
  app.db().exec("update outbox_queue set " + change + " where event % " + std::to_string(one_in) +
                " = 1");
  app.db().exec("pragma secure_delete = off");
}

void check_erased(support::AppDatabase& app) {
  REQUIRE_FALSE(traces_in(app.folder().path()).empty());
  const outbox::EraseReport report = outbox::erase(app.path(), outbox::Subject::email(email));
  CHECK(report.is_wal_truncated);
  CHECK(traces_in(app.folder().path()) == "");
  CHECK(app.text("pragma integrity_check") == "ok");
  CHECK(app.text("select count(*) from outbox_queue where event not in (select id from"
                 " outbox_events)") == "0");
}

}  // namespace

TEST_CASE("keys made of a name are not found either, in whatever order their pages were filled") {
  for (const int count : {30, 300, 5'000}) {
    CAPTURE(count);
    support::AppDatabase app;
    app.db().exec("pragma secure_delete = off");
    enqueue_mixed(app, count, 10);
    check_erased(app);
  }
}

TEST_CASE("what an error quotes is not found where its row was before, either") {
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  for (int i = 0; i < 6; ++i) {
    enqueue_mixed(app, 200, 5);
    move_some(app, 11, "state = 2, due_at_ms = 0");
    move_some(app, 13, "state = 3, due_at_ms = event * 10, last_error = 'no " + first_name + "'");
    enqueue_mixed(app, 200, 0);
    move_some(app, 13, "state = 4, due_at_ms = 0, last_error = 'no " + last_name + "'");
    move_some(app, 17, "state = 5, due_at_ms = 0");
  }
  // Of the others nothing may be said in their errors: they are not about the person.
  app.db().exec("pragma secure_delete = on");
  app.db().exec(
      "update outbox_queue set last_error = null where event not in (select id from"
      " outbox_events where payload like '%" +
      email + "%')");
  app.db().exec("pragma secure_delete = off");
  enqueue_mixed(app, 200, 0);
  check_erased(app);
}

TEST_CASE("what the endpoint said of other people's events does not name the person either") {
  for (const outbox::Subject& subject :
       {outbox::Subject::user("user-77"), outbox::Subject::group("user-77")}) {
    support::AppDatabase app;
    app.enqueue_many(3);
    app.mark_delivered(1, 1);
    app.db().exec(
        "update outbox_requests set warnings = 'user%2D77 is new';"
        "update outbox_queue set state = 4, settled_at_ms = 1,"
        " last_error = 'refused: HTTP 422: user-77 conflicts' where event = 2;"
        "update outbox_queue set state = 4, settled_at_ms = 1,"
        " last_error = 'refused: HTTP 422: user-777' where event = 3;"
        "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, "
        "last_id,"
        " ids, bytes, status, outcome, reason) values ('track', 1, 1, 1, 2, 2, '2', 9, 422, "
        "'refused',"
        " 'HTTP 422: user-77 conflicts'), ('track', 1, 1, 1, 3, 3, '3', 9, 422, 'refused',"
        " 'HTTP 422: user-777')");
    CHECK(outbox::erase(app.path(), subject).events == 0);
    CHECK(app.text("select group_concat(last_error, '; ') from outbox_queue order by event") ==
          "the reason was erased; refused: HTTP 422: user-777");
    CHECK(app.text("select group_concat(coalesce(reason, warnings, '-'), '; ') from outbox_requests"
                   " order by id") == "-; -; HTTP 422: user-777");
  }
}

TEST_CASE("what the endpoint said is not found where its row in the request log was before") {
  std::mt19937 random{7};
  const auto up_to = [&](int most) {
    return std::to_string(std::uniform_int_distribution{1, most}(random));
  };
  for (int round = 0; round < 10; ++round) {
    CAPTURE(round);
    support::AppDatabase app;
    app.enqueue(invite(email, first_name, last_name, 0));
    app.db().exec("pragma secure_delete = on; begin");  // as a dispatcher has it
    for (int i = 1; i <= 200; ++i) {
      const std::string reason = i % 7 == 3 ? "'no " + first_name + "'" : "null";
      app.db().exec(
          "insert into outbox_requests (id, destination, started_at_ms, took_ms, events, first_id,"
          " last_id, ids, bytes, outcome, reason, search) values (" +
          std::to_string(i) + ", 'track', 1, 1, 1, 1, 1, iif(" + reason +
          " is null, '2', '1'), 9, 'refused', " + reason + " || hex(zeroblob(" + up_to(50) +
          ")), hex(zeroblob(" + up_to(30) + ")))");
      app.db().exec("update outbox_requests set search = hex(zeroblob(" + up_to(60) +
                    ")) where id = max(1, " + std::to_string(i) + " - " + up_to(40) + ")");
      app.db().exec("delete from outbox_requests where reason is null and id % 5 = 0 and id = " +
                    up_to(i));
    }
    app.db().exec("commit; pragma secure_delete = off");
    check_erased(app);
  }
}

TEST_CASE("the root of the queue holds nothing of its first rows, however many there are later") {
  for (const int count : {300, 2'500, 6'000}) {
    CAPTURE(count);
    support::AppDatabase app;
    app.db().exec("pragma secure_delete = off; begin immediate");
    for (int i = 0; i < 120; ++i) {
      outbox::EnqueueOptions options;
      if (i % 3 == 2) options.ordering_key = "user:" + email;
      outbox::enqueue(app.db(),
                      i % 3 == 2 ? invite(email, first_name, last_name, 0)
                                 : invite("tom@achme.com", "Tom", "Kept", 0),
                      options);
    }
    app.db().exec("commit");
    app.enqueue_many(static_cast<std::size_t>(count));
    check_erased(app);
  }
}

TEST_CASE("what retention has moved before is not found either") {
  for (const std::size_t bytes : {0U, 900U, 3'000U}) {
    CAPTURE(bytes);
    support::AppDatabase app;
    app.db().exec("pragma secure_delete = off; begin immediate");
    for (int i = 0; i < 400; ++i) {
      const bool is_amy = i % 7 == 3;
      outbox::enqueue(app.db(), is_amy ? invite(email, first_name, last_name, bytes / 2 + 40)
                                       : invite("tom@achme.com", "Tom", "Kept", bytes));
    }
    for (int i = 0; i < 400; ++i) {  // those before and after each of hers
      if (i % 7 != 3 && i % 5 != 0) app.mark_delivered(i + 1, i + 1);
    }
    app.db().exec("commit");
    CHECK(outbox::prune(app.path(), {.older_than = std::chrono::milliseconds{0}}) > 200);
    check_erased(app);
  }
}

TEST_CASE("events with ids of the host's own, in any order, leave nothing") {
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off; begin immediate");
  for (int i = 0; i < 3'000; ++i) {
    const std::string id = std::to_string(1 + i * 7'919 % 10'007);
    const std::string user = i % 50 == 0 ? email : "tom@achme.com";
    app.db().exec("insert into outbox_events (id, payload) values (" + id + ", '" +
                  support::payload_of(user) + "')");
  }
  app.db().exec("commit");
  check_erased(app);
}

TEST_CASE("an address in the headers of an event is enough") {
  support::AppDatabase app;
  app.enqueue(support::event_of("tom"));
  app.db().exec("update outbox_events set headers = '{\"tenant\":\"" + email + "\"}'");
  CHECK(outbox::erase(app.path(), outbox::Subject::email(email)).events == 1);
}

TEST_CASE("an erasure waits for what was read before the clock was set back") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  outbox::dispatch::Lock lock{app.path(), "track"};
  REQUIRE(lock.try_acquire(outbox::core::system_now()));
  // Later than the erasure, as it seems.
  REQUIRE(lock.keep(outbox::core::system_now() + std::chrono::minutes{10}));
  const outbox::EraseReport report =
      outbox::erase(app.path(), outbox::Subject::email("amy@achme.com"), {}, outbox::Mode::apply,
                    std::chrono::milliseconds{200});
  CHECK(report.events == 1);
  CHECK(report.may_still_be_sent_by);
}

TEST_CASE("where nobody can say what is under way, an erasure is refused and changes nothing") {
  support::AppDatabase app;
  fill(app, 0);
  app.db().exec("insert into outbox_destinations (name) values ('track')");
  const std::string lock = app.path() + "-outbox-track.lock";
  std::ofstream{lock} << "1 1 host";
  std::filesystem::create_hard_link(lock, app.folder().file("other"));  // so it may be anybody's

  const auto erase = [&] { outbox::erase(app.path(), outbox::Subject::email(email)); };
  CHECK_THROWS_WITH_AS(erase(), doctest::Contains("nobody can say what is under way"),
                       std::runtime_error);
  CHECK(app.number("select count(*) from outbox_events") == 24);
  std::filesystem::remove(app.folder().file("other"));
  erase();
  CHECK(app.number("select count(*) from outbox_events") == 12);
}

// After an erasure nobody finds the person in the bytes on the disk.

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/database.hpp"
#include "support/eventually.hpp"
#include "track_server/server.hpp"

namespace {

const std::string email = "amy.forgotten@achme.com";
const std::string first_name = "Amaryllis";
const std::string last_name = "Forgottenhausen";

std::string bytes_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Files of the database that hold one of the traces, with what was found.
std::string traces_in(const support::AppDatabase& app) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator{app.folder().path()}) {
    const std::string bytes = bytes_of(entry.path().native());
    for (const std::string& trace : {email, first_name, last_name}) {
      if (bytes.find(trace) != std::string::npos) {
        found += entry.path().filename().native() + ": " + trace + "\n";
      }
    }
  }
  return found;
}

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
  // As updates of the host's own do it: rows grow, move, and leave copies behind.
  app.db().exec(
      "update outbox_events set state = 2, settled_at_ms = 5, last_error = 'refused: "
      "HTTP 400' where id % 6 = 1");
  app.db().exec("update outbox_events set state = 3, settled_at_ms = 5 where id % 6 = 3");
}

}  // namespace

TEST_CASE("after an erasure neither the address nor the names are in any byte of the files") {
  for (const std::size_t bytes : {0U, 5'000U, 20'000U, 200'000U}) {
    CAPTURE(bytes);
    support::AppDatabase app;
    fill(app, bytes);
    REQUIRE_FALSE(traces_in(app).empty());

    const outbox::EraseReport report =
        outbox::erase(app.path(), {.email = "AMY.forgotten@achme.com"});

    CHECK(report.events == 12);
    CHECK(report.is_wal_truncated);
    CHECK_FALSE(report.may_still_be_sent_by);
    CHECK(traces_in(app) == "");
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
    outbox::Dispatcher dispatcher{
        app.path(),
        outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()}),
        {.batch_events = 2}};
    REQUIRE(support::becomes_true([&] { return dispatcher.stats().requests >= 3; }));

    outbox::EraseReport report;
    REQUIRE(support::becomes_true([&] {  // the dispatcher may be reading just then
      report = outbox::erase(app.path(), {.email = email});
      return report.is_wal_truncated && !report.may_still_be_sent_by;
    }));

    CHECK(traces_in(app) == "");
    CHECK(app.count("payload like '%" + email + "%'") == 0);
    dispatcher.stop();
    CHECK(traces_in(app) == "");
  }
}

TEST_CASE("a delivered event whose payload is scrubbed is not found in the files any more") {
  track_server::TrackServer server{{.keeps_events = false}};
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  app.enqueue(invite(email, first_name, last_name, 20'000));
  outbox::deliver_once(app.db(),
                       outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()}),
                       {.scrub_delivered = true});

  CHECK(app.text("select payload from outbox_events where state = 1") == "{}");
  CHECK(app.text("pragma secure_delete") == "0");  // as the app had it
  app.db().exec("pragma wal_checkpoint(truncate)");
  CHECK(traces_in(app) == "");
}

TEST_CASE("an erasure in a large table rewrites what surrounds the events, and leaves nothing") {
  track_server::TrackServer server{{.keeps_events = false}};
  support::AppDatabase app;
  app.db().exec("pragma secure_delete = off");
  app.enqueue_many(20'000);
  for (int i = 0; i < 3; ++i) fill(app, 300);
  app.enqueue_many(20'000);
  outbox::deliver_once(app.db(),
                       outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()}),
                       {.batch_events = 1'000});

  const outbox::EraseReport report = outbox::erase(app.path(), {.email = email});

  CHECK(report.events == 36);
  CHECK(traces_in(app) == "");
  CHECK(app.count("1") == 40'036);
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

  CHECK(outbox::erase(app.path(), {.email = "amy@achme.com"}).events == 1);

  CHECK(app.text("select group_concat(what) from seen") == "insert,insert,delete");
  CHECK(app.text("select group_concat(id) from outbox_events") == "2");
}

TEST_CASE("an erasure that cannot be complete says so, and can be repeated") {
  track_server::TrackServer server;
  server.misbehave({.requests_max = 1, .latency = std::chrono::milliseconds{700}});
  support::AppDatabase app;
  app.enqueue(support::amy());
  outbox::Dispatcher dispatcher{
      app.path(), outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()})};
  REQUIRE(server.wait_for_requests(1, support::patience));
  SQLite::Database reader = app.connect();
  reader.exec("begin");
  CHECK(reader.execAndGet("select count(*) from outbox_events").getInt() == 1);

  const outbox::EraseReport first = outbox::erase(app.path(), {.email = "amy@achme.com"}, {},
                                                  outbox::Run::real, std::chrono::milliseconds{50});
  CHECK(first.events == 1);
  REQUIRE(first.may_still_be_sent_by);
  CHECK(first.may_still_be_sent_by->pid == getpid());
  CHECK_FALSE(first.is_wal_truncated);

  reader.exec("commit");
  REQUIRE(support::becomes_true([&] { return dispatcher.stats().requests == 1; }));
  const outbox::EraseReport second = outbox::erase(app.path(), {.email = "amy@achme.com"});
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

  CHECK(outbox::erase(app.path(), {.email = email}).events == 10);

  CHECK(traces_in(app) == "");
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

    CHECK(outbox::erase(file, {.email = "amy@achme.com"}).events == 1);

    CHECK(app.text("select group_concat(event) from invites") == std::to_string(kept));
  }
}

TEST_CASE("rows with odd ids survive an erasure") {
  support::AppDatabase app;
  for (const char* const id : {"-5", "0", "9000000000000000000"}) {
    app.db().exec("insert into outbox_events (id, payload) values (" + std::string{id} + ", '" +
                  support::payload_of("odd") + "')");
  }
  app.db().exec("insert into outbox_events (id, payload) values (7, '" +
                support::payload_of("gone") + "')");
  CHECK(outbox::erase(app.path(), {.user_id = "gone"}).events == 1);
  CHECK(app.text("select group_concat(id) from outbox_events") == "-5,0,9000000000000000000");
}

TEST_CASE("what stopped half-way is finished by the next erasure, of whomever") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  app.enqueue(support::event_of("tom"));
  // As left behind by a process that was killed after it had deleted the event.
  app.db().exec(
      "delete from outbox_events where id = 1;"
      "insert into outbox_audit (at_ms, action, actor, subject, events)"
      " values (1, 'erase (unfinished)', 'app', '1', 0);"
      "insert into outbox_batches (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, bytes, outcome, reason) values ('track', 1, 1, 1, 1, 1, '1', 9, 'refused', 'who is "
      "Amy?')");

  CHECK(outbox::erase(app.path(), {.user_id = "nobody"}).events == 0);

  CHECK(app.text("select coalesce(reason, 'none') from outbox_batches") == "none");
  CHECK(app.text("select count(*) from outbox_audit") == "0");
}

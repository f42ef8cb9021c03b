#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::endpoint_of;
using track_server::TrackServer;

TEST_CASE("the seed's Amy arrives at the Track API as in its sample") {
  const auto sample = nlohmann::json::parse(R"({
    "event_name": "invite_sent",
    "properties": {
      "invitee_email": "amy@achme.com",
      "invitee_first_name": "Amy",
      "invitee_last_name": "Frank",
      "invitee_role": "Developer",
      "feature_name": "CUSTOMER_JOURNEY"
    },
    "user_id": "766b3aef-5904-46fe-af05-a293fee8h345",
    "timestamp": "2024-10-20T15:51:35.059000Z",
    "context": { "group_id": "bp497d1a-0159-4009-9454-8a1b0e7c0a60" }
  })");
  TrackServer server;
  support::AppDatabase app;
  app.enqueue(support::amy());

  const DeliverReport report = deliver_once(app.path(), endpoint_of(server));

  CHECK(report.delivered == 1);
  CHECK(report.remaining == 0);
  REQUIRE(server.events().size() == 1);
  CHECK(nlohmann::json::parse(server.events()[0]) == sample);
}

TEST_CASE("everything due is delivered, once and in order, on the caller's own connection") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(1'234);

  const DeliverReport report = deliver_once(app.db(), endpoint_of(server), {.batch_events = 100});

  CHECK(report.delivered == 1'234);
  CHECK(report.requests == 13);
  const auto events = server.events();
  REQUIRE(events.size() == 1'234);
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(nlohmann::json::parse(events[i]).at("user_id") == "user-" + std::to_string(i));
  }
}

TEST_CASE("with several connections everything arrives once") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(3'000);
  const DeliverReport report =
      deliver_once(app.path(), endpoint_of(server), {.batch_events = 50, .connections = 8});
  CHECK(report.delivered == 3'000);
  const auto events = server.events();
  CHECK(events.size() == 3'000);
  CHECK(std::set<std::string>(events.begin(), events.end()).size() == 3'000);
}

TEST_CASE("a memory database is delivered on its own connection") {
  TrackServer server;
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  migrate(db);
  db.exec("begin");
  enqueue(db, support::amy());
  db.exec("commit");
  CHECK(deliver_once(db, endpoint_of(server)).delivered == 1);
  CHECK(deliver_once(db, endpoint_of(server)).delivered == 0);
  CHECK(server.request_count() == 1);
}

TEST_CASE("a memory database cannot be opened by path, and the error names the way out") {
  TrackServer server;
  for (const char* path : {":memory:", "file::memory:?cache=shared", "file:x?mode=memory"}) {
    CAPTURE(path);
    CHECK_THROWS_WITH_AS(deliver_once(path, endpoint_of(server)), doctest::Contains("deliver_once"),
                         std::invalid_argument);
  }
}

TEST_CASE("nothing is created at a mistyped path") {
  TrackServer server;
  support::TemporaryFolder folder;
  CHECK_THROWS_AS(deliver_once(folder.file("typo.db"), endpoint_of(server)), database_error);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("deliver_once inside a transaction is refused") {
  TrackServer server;
  support::AppDatabase app;
  app.db().exec("begin");
  CHECK_THROWS_AS(deliver_once(app.db(), endpoint_of(server)), std::logic_error);
}

TEST_CASE("a scheduled event is left for its time") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue(support::amy(), {.not_before = std::chrono::system_clock::now() + 1h});
  app.enqueue(support::event_of("now"));
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server));
  CHECK(report.delivered == 1);
  CHECK(report.remaining == 0);
  CHECK(app.count("state = 'pending'") == 1);
}

TEST_CASE("an event behind a scheduled one of its key is left too, without waiting") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue(support::amy(),
              {.ordering_key = "k", .not_before = std::chrono::system_clock::now() + 1h});
  app.enqueue(support::amy(), {.ordering_key = "k"});
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server), {}, 60s);
  CHECK(report.delivered == 0);
  CHECK(report.remaining == 0);  // it is not due before the other one
}

TEST_CASE("an endpoint that comes back in time gets everything") {
  TrackServer server;
  server.misbehave({.status = 503, .requests_max = 3});
  support::AppDatabase app;
  app.enqueue_many(10);
  const DeliverReport report =
      deliver_once(app.path(), endpoint_of(server), {.backoff_min = 1ms, .backoff_max = 4ms});
  CHECK(report.delivered == 10);
  CHECK(report.requests == 7);  // three failures, then batches of 1, 2, 2 and 5
  CHECK(report.hold.empty());
}

TEST_CASE("an endpoint that stays away leaves everything pending, with the reason") {
  TrackServer server;
  server.misbehave({.status = 503});
  support::AppDatabase app;
  app.enqueue_many(10);
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server),
                                            {.backoff_min = 1ms, .backoff_max = 2ms}, 500ms);
  CHECK(report.delivered == 0);
  CHECK(report.remaining == 10);
  CHECK(report.hold == "HTTP 503");  // without the endpoint's words
  CHECK(report.hold_kind == HoldKind::backing_off);
  CHECK(app.count("state = 'pending' and refusals = 0") == 10);
}

TEST_CASE("deliver_once ends when its lock file is taken away, since another may be at work") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(10);
  std::atomic<int> calls = 0;
  const Endpoint endpoint =
      track_api({.credentials = bearer(from_callback([&]() -> std::string {
                   if (++calls == 2) {
                     std::filesystem::remove(app.path() + "-outbox-track.lock");
                   }
                   return "t";
                 })),
                 .url = server.url()});
  const DeliverReport report = deliver_once(app.path(), endpoint, {.batch_events = 1});
  CHECK(report.is_served_elsewhere);
  CHECK(report.delivered == 2);
  CHECK(report.remaining == 8);
}

TEST_CASE("a token that the endpoint quotes is kept nowhere") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(1);
  for (const int status : {400, 401, 500}) {
    server.misbehave({.status = status, .body = R"({"message":"bad token s3cr3t-canary!"})"});
    const DeliverReport report =
        deliver_once(app.path(),
                     track_api({.credentials = x_api_key("s3cr3t-canary"),
                                .url = server.url() + "?key=s3cr3t-canary"}),
                     {.backoff_min = 1ms, .backoff_max = 1ms}, 500ms);
    CHECK(report.hold.find("s3cr3t") == std::string::npos);
  }
  for (const char* query :
       {"select group_concat(coalesce(reason, '')) from outbox_requests",
        "select group_concat(coalesce(hold_reason, '') || endpoint) from outbox_destinations"}) {
    CHECK(app.text(query).find("s3cr3t") == std::string::npos);
    CHECK(app.text(query).size() > 5);
  }
}

TEST_CASE("refused credentials end it after one more try, since they may have been renewed") {
  TrackServer server{{.token = "another"}};
  support::AppDatabase app;
  app.enqueue_many(10);
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server), {}, 60s);
  CHECK(report.is_unauthorized);
  CHECK(report.remaining == 10);
  CHECK(server.request_count() == 2);
}

TEST_CASE("a person who asks does not wait for the end of a hold") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(10);
  server.misbehave({.status = 500});
  deliver_once(app.path(), endpoint_of(server), {.backoff_min = 1h, .backoff_max = 1h}, 500ms);
  server.behave();
  CHECK(deliver_once(app.path(), endpoint_of(server), {.backoff_min = 1h, .backoff_max = 1h})
            .delivered == 10);
}

TEST_CASE("a pause holds for a person who asks, too") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue_many(1);
  pause(app.db(), "track", {.reason = "why"});
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server));
  CHECK(report.is_paused);
  CHECK(report.remaining == 1);
  CHECK(server.request_count() == 0);
}

TEST_CASE("while a dispatcher is at work deliver_once leaves the work to it") {
  TrackServer server;
  support::AppDatabase app;
  Dispatcher dispatcher{app.path(), endpoint_of(server)};
  app.enqueue_many(1);
  dispatcher.notify();
  REQUIRE(server.wait_for_events(1, 20s));
  const DeliverReport report = deliver_once(app.path(), endpoint_of(server));
  CHECK(report.is_served_elsewhere);
  CHECK(report.requests == 0);
}

TEST_CASE("the time for which an event was scheduled does not count against it") {
  support::AppDatabase app;
  testing::ManualClock clock;
  testing::RecordingEndpoint endpoint;
  const DispatcherOptions options{.give_up_after = 1h, .clock = clock.function()};
  for (int i = 0; i < 4; ++i) {
    app.enqueue(support::event_of("u"), {.not_before = clock.now() + 48h});
  }
  clock.advance(48h + 1s);
  endpoint.answer_next({.verdict = Verdict::failed, .has_arrived = true});
  deliver_once(app.db(), endpoint.endpoint(), options);

  for (int i = 0; i < 10 && app.count("state = 'pending'") > 0; ++i) {
    clock.advance(2min);
    deliver_once(app.db(), endpoint.endpoint(), options);
  }

  CHECK(app.count("state = 'dead'") == 0);
  CHECK(endpoint.accepted().size() == 4);
}

TEST_CASE("what a person asks for again has all its time again") {
  support::AppDatabase app;
  testing::RecordingEndpoint endpoint;
  const DispatcherOptions options{.give_up_after = 1h};
  const auto let_an_hour_pass = [&] {
    app.db().exec(
        "update outbox_events set enqueued_at_ms = enqueued_at_ms - 7200000;"
        "update outbox_queue set enqueued_at_ms = enqueued_at_ms - 7200000");
  };
  app.enqueue_many(1);
  let_an_hour_pass();
  CHECK(deliver_once(app.db(), endpoint.endpoint(), options).dead == 1);

  CHECK(retry(app.db(), Selection::all()) == 1);
  CHECK(deliver_once(app.db(), endpoint.endpoint(), options).delivered == 1);

  let_an_hour_pass();
  CHECK(requeue(app.db(), Selection::all()) == 1);
  CHECK(deliver_once(app.db(), endpoint.endpoint(), options).delivered == 1);
  CHECK(endpoint.accepted().size() == 2);
}

TEST_CASE("retention that the host's foreign key stops does not hide what was delivered") {
  support::AppDatabase app;
  testing::RecordingEndpoint endpoint;
  app.enqueue_many(1);
  CHECK(deliver_once(app.db(), endpoint.endpoint()).delivered == 1);
  app.db().exec(
      "create table host (event references outbox_events (id)); insert into host values (1);"
      "update outbox_requests set started_at_ms = 1; pragma foreign_keys = on");
  app.enqueue_many(1);

  CHECK(deliver_once(app.db(), endpoint.endpoint()).delivered == 1);
}

TEST_CASE("nothing is sent on a connection that may not write") {
  TrackServer server;
  support::AppDatabase app;
  app.enqueue(support::amy());
  deliver_once(app.db(), endpoint_of(server));  // the destination is known from now on
  app.enqueue(support::amy());
  app.db().exec("pragma query_only = on");
  const SQLite::Database read_only{app.path(), SQLite::OPEN_READONLY};
  for (const ConnectionRef connection : {ConnectionRef{app.db()}, ConnectionRef{read_only}}) {
    CHECK_THROWS_WITH_AS(deliver_once(connection, endpoint_of(server)),
                         doctest::Contains("nothing was sent"), database_error);
  }
  CHECK(server.event_count() == 1);
}

TEST_CASE("what a person discards in its last request is neither counted nor told as dead") {
  testing::TestDatabase database;
  testing::RecordingEndpoint endpoint;
  testing::ManualClock clock;
  const auto enqueue_one = [&](const char* user) {
    SQLite::Database db{database.path(), SQLite::OPEN_READWRITE};
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    enqueue(db, support::event_of(user));
    transaction.commit();
  };
  int refused = 0;
  endpoint.answer_by([&](const testing::SentRequest& request) {
    if (request.payloads.front().find("bad") == std::string::npos) return testing::accepted();
    if (++refused == 2) {
      SQLite::Database db{database.path(), SQLite::OPEN_READWRITE};
      discard(db, Selection::ids({2}), {"test", "why"});
    }
    return testing::refused("HTTP 400");
  });
  int told = 0;
  const DispatcherOptions options{
      .observer = [&](const Notice& notice) { told += int{notice.kind == Notice::Kind::dead}; },
      .clock = clock.function()};
  std::size_t dead = 0;
  for (const char* const user : {"good", "bad", "good", "good"}) {
    enqueue_one(user);
    for (int i = 0; i < 3; ++i) {
      clock.advance(1h);
      dead += deliver_once(database, endpoint.endpoint(), options).dead;
    }
  }
  CHECK(refused == 2);
  CHECK(dead == 0);
  CHECK(told == 0);
  CHECK(status(database).counts.discarded == 1);
}

TEST_CASE("a copy of a database is told of, as a dispatcher tells of it") {
  support::AppDatabase app;
  testing::RecordingEndpoint endpoint;
  app.enqueue_many(1);
  CHECK(deliver_once(app.db(), endpoint.endpoint()).delivered == 1);
  app.enqueue_many(1);
  const std::string copy = app.folder().file("copy.db");
  app.db().exec("vacuum into '" + copy + "'");

  std::vector<std::string> warnings;
  DispatcherOptions options;
  options.observer = [&](const Notice& notice) {
    if (notice.kind == Notice::Kind::warning) warnings.push_back(notice.text);
  };
  deliver_once(DatabaseFile{copy}, endpoint.endpoint(), options);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("is a copy or was restored") != std::string::npos);
  CHECK(warnings[0].find("are sent again") != std::string::npos);

  const std::string second = app.folder().file("second.db");
  app.db().exec("vacuum into '" + second + "'");
  options.pauses_foreign_database = true;
  CHECK(deliver_once(DatabaseFile{second}, endpoint.endpoint(), options).is_paused);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[1].find("Nothing is sent until") != std::string::npos);
  warnings.pop_back();

  deliver_once(app.db(), endpoint.endpoint(), options);
  CHECK(warnings.size() == 1);
}

TEST_CASE("deliver_once goes on when a backup is written over the file meanwhile") {
  support::AppDatabase app;
  testing::RecordingEndpoint endpoint;
  app.enqueue_many(3);
  bool is_restored = false;
  endpoint.answer_by([&](const testing::SentRequest&) {
    if (!std::exchange(is_restored, true)) {
      // As in the row of a backup from a time when death blocked.
      app.db().exec("update outbox_destinations set block_on_dead = 1");
    }
    return testing::accepted();
  });
  const DeliverReport report = deliver_once(app.path(), endpoint.endpoint(), {.batch_events = 1});
  CHECK(report.delivered == 3);
  CHECK(report.remaining == 0);
  CHECK(app.db().execAndGet("select block_on_dead from outbox_destinations").getInt() == 0);
}

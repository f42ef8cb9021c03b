#include "dispatch/round.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "dispatch/options.hpp"
#include "support/database.hpp"
#include "support/desk.hpp"
#include "support/fakes.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using dispatch::Round;
using dispatch::RoundReport;
using support::answer_of;
using support::events_in;

namespace {

// The real round and store on a real file, a fake clock and endpoint.
struct Desk {
  explicit Desk(DispatcherOptions options = {}) : round{sink, clock.in(options), 1} {
    store.serve({"fake"}, clock.now());
  }
  RoundReport run() { return round.run(store, 0ms); }

  support::AppDatabase app;
  support::FakeClock clock;
  support::FakeSink sink;
  storage::Store store{app.db().getHandle(), "track"};
  Round round;
};

}  // namespace

TEST_CASE("a round takes, sends, and records what was delivered") {
  Desk desk;
  desk.app.enqueue_many(3);

  const RoundReport report = desk.run();

  CHECK(report.delivered == 3);
  CHECK(report.requests == 1);
  CHECK(desk.sink.bodies.size() == 1);
  CHECK(desk.app.count("state = 'delivered'") == 3);
  CHECK(desk.run().requests == 0);
}

TEST_CASE("the body is the stored bytes") {
  Desk desk;
  desk.app.insert(
      R"({ "event_name":"e", "user_id":"u" ,"timestamp":"2024-10-20T15:51:35Z","n":1.10})");
  desk.run();
  CHECK(desk.sink.bodies.at(0) ==
        R"([{ "event_name":"e", "user_id":"u" ,"timestamp":"2024-10-20T15:51:35Z","n":1.10}])");
}

TEST_CASE("an event that is not yet committed is not sent, and one rolled back never is") {
  Desk desk;
  SQLite::Database other = desk.app.connect();
  other.exec("begin immediate");
  enqueue(other, support::amy());
  CHECK(desk.run().requests == 0);
  other.exec("rollback");
  CHECK(desk.run().requests == 0);
  CHECK(desk.sink.bodies.empty());
}

TEST_CASE("a backlog goes in batches, in order, each event once") {
  Desk desk{{.batch_events = 7}};
  desk.app.enqueue_many(30);
  int rounds = 0;
  while (desk.run().has_more) ++rounds;

  CHECK(desk.sink.bodies.size() == 5);
  std::string all;
  for (const std::string& body : desk.sink.bodies) all += body;
  CHECK(events_in(all) == 30);
  std::size_t at = 0;
  for (int i = 0; i < 30; ++i) {
    at = all.find("\"user-" + std::to_string(i) + "\"", at);
    CHECK(at != std::string::npos);
  }
}

TEST_CASE(
    "events that cannot be sent die without a request, and the ones around them are delivered") {
  Desk desk;
  desk.app.insert(support::payload_of("first"));
  desk.app.insert(R"({"event":"invite_sent","user_id":"u","timestamp":"2024-10-20T15:51:35Z"})");
  desk.app.insert(R"({"event_name":"e","user_id":"u","timestamp":"20-11-23T22:28:55.111Z"})");
  desk.app.insert(R"({"event_name":"e","timestamp":"2024-10-20T15:51:35Z"})");
  desk.app.insert("{broken");
  desk.app.insert(support::payload_of("last"));

  const RoundReport report = desk.run();

  CHECK(report.delivered == 2);
  CHECK(report.dead == 4);
  CHECK(desk.sink.bodies.size() == 1);
  CHECK(desk.app.text(
            "select group_concat(last_error, '|') from outbox_event_states where state = 'dead'") ==
        "unsendable: event_name: required (\"event\" is no field of the Track API)|"
        "unsendable: timestamp: must be an ISO 8601 instant such as 2024-10-20T15:51:35.059000Z|"
        "unsendable: user_id: required|unsendable: not valid JSON at byte 1");
}

TEST_CASE("after a failure everything is pending, and the destination waits longer each time") {
  Desk desk;
  desk.app.enqueue_many(3);
  desk.sink.answer = [](const std::string&) { return answer_of(503); };

  CHECK(desk.run().hold->reason == "HTTP 503");
  CHECK(desk.app.count("state = 'pending' and refusals = 0 and last_error is null") == 3);
  CHECK(desk.run().requests == 0);  // it waits

  std::vector<std::chrono::milliseconds> waits;
  for (int i = 0; i < 5; ++i) {
    const auto hold = desk.store.destination.read().endpoint.hold;
    waits.push_back(hold->until - desk.clock.now());
    desk.clock.set(hold->until);
    CHECK(desk.run().requests == 1);
  }
  CHECK(std::is_sorted(waits.begin(), waits.end()));
  CHECK(desk.store.destination.read().endpoint.hold->tries == 6);
}

TEST_CASE("after the wait one single event asks, and its delivery doubles the pace") {
  Desk desk;
  desk.app.enqueue_many(250);
  desk.sink.answer = [](const std::string&) { return answer_of(429); };
  desk.run();
  desk.clock.advance(1s);
  desk.sink.answer = [](const std::string&) { return answer_of(200); };

  // First the 100 that failed: 63 of them until the pace is 64, and then the other 37.
  for (const std::uint64_t expected : {1U, 2U, 4U, 8U, 16U, 32U, 37U, 100U, 50U}) {
    CHECK(desk.run().delivered == expected);
  }
  CHECK_FALSE(desk.store.destination.read().endpoint.hold);
}

TEST_CASE("a web page delivers nothing") {
  Desk desk;
  desk.app.enqueue_many(2);
  desk.sink.answer = [](const std::string&) { return answer_of(200, "<html>log in</html>"); };
  CHECK(desk.run().hold->reason == "HTTP 200 with a web page: not the Track API");
  CHECK(desk.app.count("state = 'pending'") == 2);
}

TEST_CASE("while a person has paused the destination nothing is sent") {
  Desk desk;
  desk.app.enqueue_many(1);
  pause(desk.app.db(), "track", {.reason = "why"});
  CHECK(desk.run().is_paused);
  CHECK(desk.sink.bodies.empty());
  resume(desk.app.db(), "track");
  CHECK(desk.run().delivered == 1);
}

TEST_CASE("a nudge ends the wait, with one single event") {
  Desk desk;
  desk.app.enqueue_many(5);
  desk.sink.answer = [](const std::string&) { return answer_of(503); };
  desk.run();
  CHECK(desk.run().requests == 0);
  nudge(desk.app.db());
  desk.run();
  CHECK(desk.sink.bodies.size() == 2);
  CHECK(events_in(desk.sink.bodies[1]) == 1);
}

TEST_CASE("with several connections several batches are under way, and slow ones hold nobody up") {
  Desk desk{{.batch_events = 2, .connections = 3}};
  desk.app.enqueue_many(10);
  desk.sink.holds_back = [](const std::string& body) {
    return body.find("user-0\"") != std::string::npos;
  };

  CHECK(desk.run().delivered == 4);
  CHECK(desk.run().delivered == 4);
  CHECK(desk.app.count("state = 'pending'") == 2);
  desk.sink.holds_back = {};
  CHECK(desk.run().delivered == 2);
  CHECK(desk.sink.bodies.size() == 5);
}

TEST_CASE("with several connections events of one key are under way one batch at a time") {
  Desk desk{{.batch_events = 1, .connections = 4}};
  desk.app.enqueue_many(3, {.ordering_key = "k"});
  for (std::size_t sent = 1; sent <= 3; ++sent) {
    CHECK(desk.run().delivered == 1);
    CHECK(desk.sink.bodies.size() == sent);
  }
}

TEST_CASE("what was delivered and could not be recorded is recorded before anything is sent") {
  Desk desk;
  desk.app.enqueue_many(3);
  desk.app.db().exec(
      "create temp trigger full before delete on main.outbox_queue"
      " begin select raise(abort, 'disk full'); end");

  CHECK_THROWS_AS(desk.run(), database_error);
  CHECK_THROWS_AS(desk.run(), database_error);
  CHECK(desk.sink.bodies.size() == 1);
  CHECK(desk.app.count("state = 'pending'") == 3);

  desk.app.db().exec("drop trigger full");
  storage::Store reopened{desk.app.db().getHandle(), "track"};
  desk.round.run(reopened, 0ms);

  CHECK(desk.sink.bodies.size() == 1);
  CHECK(desk.app.count("state = 'delivered'") == 3);
}

TEST_CASE("an answer for a round that is gone is nobody's") {
  support::AppDatabase app;
  support::FakeClock clock;
  support::FakeSink sink;
  storage::Store store{app.db().getHandle(), "track"};
  store.serve({"fake"}, clock.now());
  app.enqueue(support::event_of("first"));
  sink.holds_back = [](const std::string&) { return true; };
  {
    Round gone{sink, clock.in({}), 1};
    gone.run(store, 0ms);
  }
  outbox::discard(app.db(), outbox::Selection::ids({1}), {"test", "too late"});
  app.enqueue(support::event_of("second"));
  sink.holds_back = {};
  sink.answer = [](const std::string& body) {
    return answer_of(body.find("second") == std::string::npos ? 200 : 503);
  };

  Round next{sink, clock.in({}), 1};
  CHECK(next.run(store, 0ms).delivered == 0);
  CHECK(app.count("id = 2 and state = 'pending'") == 1);
}

TEST_CASE("the late answer of a sink that does not forget is none to another round") {
  // `Sink::abort` is to forget; one that does not must cost no event.
  class Stubborn final : public Sink {
   public:
    std::string name() const override { return "stubborn"; }
    void submit(std::uint64_t token, Batch) override { tokens.push_back(token); }
    std::vector<Reply> collect(std::chrono::milliseconds) override {
      if (tokens.size() < 2) return {};
      return {{tokens.front(), {.verdict = Verdict::delivered}}};
    }
    void wake() noexcept override {}
    void abort() noexcept override {}
    std::vector<std::uint64_t> tokens = {};
  };
  support::AppDatabase app;
  support::FakeClock clock;
  Stubborn sink;
  storage::Store store{app.db().getHandle(), "track"};
  store.serve({"stubborn"}, clock.now());
  app.enqueue(support::event_of("first"));
  Round{sink, clock.in({}), 1}.run(store, 0ms);
  outbox::discard(app.db(), outbox::Selection::ids({1}), {"test", "too late"});
  app.enqueue(support::event_of("second"));

  Round next{sink, clock.in({}), 1};
  CHECK(next.run(store, 0ms).delivered == 0);
  CHECK(app.count("id = 2 and state = 'pending'") == 1);
}

TEST_CASE("nothing is sent until a row that was written over is served again") {
  Desk desk;
  desk.app.enqueue_many(1);
  desk.app.db().exec(
      "update outbox_destinations set database_identity = 'of another file',"
      " hold_kind = 'backing_off', hold_since_ms = 1, hold_until_ms = 1, hold_tries = 1");

  const RoundReport report = desk.run();
  CHECK_FALSE(report.has_row);
  CHECK(desk.sink.bodies.empty());
  CHECK(desk.store.destination.read().endpoint.hold);
  desk.store.serve({"fake"}, desk.clock.now());
  CHECK(desk.run().delivered == 1);
}

TEST_CASE("an answer that arrives while the database is in trouble is not lost") {
  Desk desk{{.batch_events = 1, .connections = 2}};
  desk.app.enqueue_many(2);
  desk.sink.holds_back = [](const std::string& body) {
    return body.find("user-1") != std::string::npos;
  };
  desk.app.db().exec(
      "create temp trigger full before delete on main.outbox_queue"
      " begin select raise(abort, 'disk full'); end");
  CHECK_THROWS_AS(desk.run(), database_error);
  desk.sink.holds_back = {};
  desk.round.wait(0ms);  // what the dispatcher does before it tries again
  desk.app.db().exec("drop trigger full");

  desk.run();

  CHECK_FALSE(desk.round.has_in_flight());

  CHECK(desk.app.count("state = 'delivered'") == 2);
  CHECK(desk.sink.bodies.size() == 2);
}

TEST_CASE("an exception while submitting leaves nothing in flight for ever") {
  Desk desk;
  desk.app.enqueue_many(1);
  desk.sink.refuses_memory = true;
  CHECK_THROWS_AS(desk.run(), std::bad_alloc);
  desk.sink.refuses_memory = false;
  CHECK_FALSE(desk.round.has_in_flight());
  CHECK(desk.run().delivered == 1);
}

TEST_CASE("an answer that is lost for want of memory leaves its request's events pending") {
  Desk desk;
  desk.app.enqueue_many(3);
  desk.sink.loses_replies = true;
  SUBCASE("in a round") {
    CHECK_THROWS_AS(desk.run(), std::bad_alloc);
  }
  SUBCASE("between rounds") {
    desk.sink.holds_back = [](const std::string&) { return true; };
    desk.sink.loses_replies = false;
    desk.run();
    CHECK(desk.round.has_in_flight());
    desk.sink.loses_replies = true;
    desk.sink.holds_back = {};
    CHECK_THROWS_AS(desk.round.wait(0ms), std::bad_alloc);
  }
  CHECK_FALSE(desk.round.has_in_flight());
  CHECK(desk.app.count("state = 'delivered'") == 0);

  desk.sink.loses_replies = false;
  CHECK(desk.run().delivered == 3);
}

TEST_CASE("a request counts as under way until its answer is recorded") {
  Desk desk;
  desk.app.enqueue_many(1);
  const core::Instant read_at = desk.clock.now();
  SQLite::Database host{desk.app.path(), SQLite::OPEN_READWRITE};
  host.exec("begin immediate");
  CHECK_THROWS_AS(desk.run(), database_error);

  CHECK_FALSE(desk.round.has_in_flight());
  CHECK(desk.round.in_flight_since() == read_at);

  host.exec("commit");
  desk.run();
  CHECK_FALSE(desk.round.in_flight_since());
  CHECK(desk.app.count("state = 'delivered'") == 1);
}

TEST_CASE("what is recorded late is counted") {
  Desk desk;
  desk.app.enqueue_many(2);
  desk.app.db().exec(
      "create temp trigger full before delete on main.outbox_queue"
      " begin select raise(abort, 'disk full'); end");
  CHECK_THROWS_AS(desk.run(), database_error);
  CHECK(desk.round.has_unrecorded());
  CHECK(desk.round.totals().delivered == 0);
  desk.app.db().exec("drop trigger full");
  CHECK(desk.run().delivered == 2);
  CHECK(desk.round.totals().requests == 1);
}

TEST_CASE("without a credential no request is counted or logged, and the reason is shown") {
  Desk desk;
  desk.app.enqueue_many(1);
  desk.sink.answer = [](const std::string&) {
    return core::Answer{.arrival = core::Arrival::no_credential, .error = "why"};
  };
  const RoundReport report = desk.run();
  CHECK(report.requests == 0);
  CHECK(report.hold->reason == "no credential: why");
  CHECK(desk.app.text("select count(*) from outbox_requests") == "0");
}

TEST_CASE("after an abort the events are pending and are sent again") {
  Desk desk;
  desk.app.enqueue_many(1);
  desk.sink.holds_back = [](const std::string&) { return true; };
  desk.run();
  CHECK(desk.round.has_in_flight());
  desk.round.abort();
  desk.sink.holds_back = {};
  CHECK(desk.run().delivered == 1);
  CHECK(desk.sink.bodies.size() == 2);
  CHECK(desk.sink.bodies[0] == desk.sink.bodies[1]);
}

TEST_CASE("no transaction or statement of ours is open while a request is under way") {
  Desk desk;
  desk.app.enqueue_many(5);
  bool is_idle = false;
  desk.sink.answer = [&](const std::string&) {
    sqlite3* const db = desk.app.db().getHandle();
    is_idle = sqlite3_get_autocommit(db) != 0;
    for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr;
         s = sqlite3_next_stmt(db, s)) {
      is_idle = is_idle && sqlite3_stmt_busy(s) == 0;
    }
    return answer_of(200);
  };
  desk.run();
  CHECK(is_idle);
}

TEST_CASE("a pause that comes between taking and sending is obeyed") {
  Desk desk;
  desk.app.enqueue_many(1);
  SQLite::Database other = desk.app.connect();
  int reads = 0;
  std::pair<int*, SQLite::Database*> context{&reads, &other};
  sqlite3_trace_v2(
      desk.app.db().getHandle(), SQLITE_TRACE_PROFILE,
      [](unsigned, void* given, void* statement, void*) {
        const std::string sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
        auto& [count, connection] = *static_cast<std::pair<int*, SQLite::Database*>*>(given);
        if (sql.find("q.due_at_ms = 0 and q.event > ?2") != std::string::npos && (*count)++ == 0) {
          pause(*connection, "track", {.reason = "why"});
        }
        return 0;
      },
      &context);
  desk.run();
  sqlite3_trace_v2(desk.app.db().getHandle(), 0, nullptr, nullptr);
  CHECK(reads > 0);
  CHECK(desk.sink.bodies.empty());
  resume(desk.app.db(), "track");
  CHECK(desk.run().delivered == 1);
}

TEST_CASE("a clock that jumps by years delays nothing for ever") {
  Desk desk;
  desk.app.enqueue_many(2);
  desk.sink.answer = [](const std::string&) { return answer_of(503); };
  desk.run();
  desk.clock.advance(-24h * 365 * 10);
  desk.sink.answer = [](const std::string&) { return answer_of(200); };
  CHECK(desk.run().delivered == 1);
  CHECK(desk.run().delivered == 1);
}

TEST_CASE("options out of range are refused with their name") {
  const auto message_of = [](const DispatcherOptions& options) -> std::string {
    try {
      dispatch::require_options(options);
      return "fine";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  CHECK(message_of({}) == "fine");
  CHECK(message_of({.batch_events = 1'000, .batch_bytes = 2'000'000, .connections = 64}) == "fine");
  CHECK(message_of({.destination = "Track"}).find("destination") != std::string::npos);
  CHECK(message_of({.batch_events = 0}).find("batch_events") != std::string::npos);
  CHECK(message_of({.batch_events = 1'001}).find("batch_events") != std::string::npos);
  CHECK(message_of({.batch_bytes = 999}).find("batch_bytes") != std::string::npos);
  CHECK(message_of({.batch_bytes = 2'000'001}).find("batch_bytes") != std::string::npos);
  CHECK(message_of({.connections = 0}).find("connections") != std::string::npos);
  CHECK(message_of({.connections = 65}).find("connections") != std::string::npos);
  CHECK(message_of({.backoff_min = 0ms}).find("backoff_min") != std::string::npos);
  CHECK(message_of({.backoff_min = 2s, .backoff_max = 1s}).find("backoff_max") !=
        std::string::npos);
  CHECK(message_of({.backoff_max = 25h}).find("backoff_max") != std::string::npos);
}

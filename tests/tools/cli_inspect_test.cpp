// list, show, explain, batches and run, as programs against real files.

#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using nlohmann::json;
using support::Finished;
using track_server::TrackServer;

namespace {

// A queue with one event of each state, ids 1 to 6, and two with the same key.
struct EachState {
  EachState() {
    app.enqueue(support::amy());
    outbox::deliver_once(app.db(), support::endpoint_of(server));
    app.enqueue(support::event_of("user-2"));
    app.enqueue(support::event_of("user-3"),
                {.not_before = std::chrono::system_clock::now() + std::chrono::hours{1}});
    app.insert(R"({"event_name":"a","user_id":"tom@achme.com"})");
    app.insert("{broken");
    app.insert("{}");
    app.db().exec(
        "update outbox_queue set state = 3, refusals = 2, solo_failures = 1 where event = 4;"
        "update outbox_queue set state = 4, last_error = 'refused for tom@achme.com',"
        " settled_at_ms = 5 where event = 5;"
        "update outbox_queue set state = 5, settled_at_ms = 5 where event = 6");
    const outbox::EnqueueOptions in_order{.ordering_key = "k"};
    app.enqueue(support::event_of("user-7"), in_order);
    app.enqueue(support::event_of("user-8"), in_order);
    app.db().exec("update outbox_queue set state = 1 where event = 8");
  }

  Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), OUTBOX_CLI);
    arguments.insert(arguments.end(), {"--db", app.path()});
    return support::run(arguments, {{"TZ", "UTC"}});
  }
  std::vector<json> lines(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    std::istringstream text{run(std::move(arguments)).out};
    std::vector<json> values;
    for (std::string line; std::getline(text, line);) values.push_back(json::parse(line));
    return values;
  }
  std::string ids(std::vector<std::string> arguments) const {
    std::string text;
    arguments.emplace_back("--oldest-first");
    for (const json& line : lines(std::move(arguments))) text += line.at("id").dump();
    return text;
  }

  support::AppDatabase app;
  TrackServer server;
};

const std::vector<std::string> hostile = {"\x1b]0;owned\x07",
                                          "\x1b[2J",
                                          "\u202Egnp.exe",
                                          "\u2066x",
                                          "\xC2\x9B"
                                          "31m",
                                          "a\nb",
                                          "\x7F"};

}  // namespace

TEST_CASE("list shows every event as a line of the contract") {
  const EachState events;
  const auto lines = events.lines({"list", "--oldest-first"});
  REQUIRE(lines.size() == 8);
  CHECK(events.lines({"list", "--limit", "1"})[0].at("id") == 8);
  const json& amy = lines[0];
  CHECK(amy.at("id") == 1);
  CHECK(amy.at("event_id").get<std::string>().size() == 36);
  CHECK(amy.at("destination") == "track");
  CHECK(amy.at("event_name") == "invite_sent");
  CHECK(amy.at("user_id") == support::amy().user_id);
  CHECK(amy.at("group_id") == support::amy().group_id);
  CHECK(amy.at("state") == "delivered");
  CHECK(amy.at("attempts") == 0);
  CHECK(amy.at("enqueued_at").get<std::string>().back() == 'Z');
  CHECK(amy.at("due_at") == nullptr);
  CHECK(amy.at("settled_at").get<std::string>().size() == 24);
  CHECK(amy.at("last_error") == nullptr);
  CHECK(lines[2].at("state") == "scheduled");
  CHECK(lines[2].at("due_at").get<std::string>().size() == 24);
  CHECK(lines[3].at("state") == "retrying");
  CHECK(lines[3].at("attempts") == 3);
  CHECK(lines[3].at("user_id") == "t**@achme.com");
  CHECK(lines[4].at("last_error") == "refused for t**@achme.com");
}

TEST_CASE("list filters by everything that it shows") {
  const EachState events;
  CHECK(events.ids({"list", "--state", "pending"}) == "23478");
  CHECK(events.ids({"list", "--state", "waiting"}) == "8");
  CHECK(events.ids({"list", "--state", "scheduled"}) == "3");
  CHECK(events.ids({"list", "--state", "retrying"}) == "4");
  CHECK(events.ids({"list", "--state", "delivered"}) == "1");
  CHECK(events.ids({"list", "--state", "dead"}) == "5");
  CHECK(events.ids({"list", "--state", "discarded"}) == "6");
  CHECK(events.ids({"list", "--event", "signed_up"}) == "2378");
  CHECK(events.ids({"list", "--user", "user-2"}) == "2");
  CHECK(events.ids({"list", "--group", support::amy().group_id}) == "1");
  CHECK(events.ids({"list", "--error", "refused"}) == "5");
  CHECK(events.ids({"list", "--limit", "2"}) == "12");
  CHECK(events.ids({"list", "--since", "1h"}) == "12345678");
  CHECK(events.ids({"list", "--until", "2020-01-01T00:00:00.5Z"}).empty());
  CHECK(events.run({"list", "--until", "1h"}).code == 3);
  CHECK(events.run({"list", "--destination", "other"}).code == 3);
  CHECK(events.run({"list", "--state", "lost"}).code == 2);
  CHECK(events.run({"list", "--since", "yesterday"}).code == 2);
}

TEST_CASE("show tells an event, its masked payload and the requests that held it") {
  const EachState events;
  const auto shown = events.lines({"show", "1"});
  REQUIRE(shown.size() == 1);
  const json properties = shown[0].at("payload").at("properties");
  CHECK(properties.at("invitee_email") == "a**@achme.com");
  CHECK(properties.at("invitee_first_name") == "A**");
  CHECK(properties.at("feature_name") == "CUSTOMER_JOURNEY");
  REQUIRE(shown[0].at("batches").size() == 1);
  CHECK(shown[0]["batches"][0].at("status") == 200);
  CHECK(shown[0]["batches"][0].at("outcome") == "delivered");

  CHECK(events.lines({"show", "1", "--reveal"})[0]
            .at("payload")
            .at("properties")
            .at("invitee_email") == "amy@achme.com");
  CHECK(events.lines({"show", "5"})[0].at("payload") == "7 bytes, no event");
  CHECK(events.run({"show", "99"}).code == 3);
  CHECK(events.run({"show"}).code == 2);
  const std::string screen = events.run({"show", "1"}).out;
  CHECK(screen.find("\"invitee_email\": \"a**@achme.com\"") != std::string::npos);
  CHECK(screen.find("amy@achme.com") == std::string::npos);
}

TEST_CASE("show tells the headers of an event, masked too") {
  EachState events;
  CHECK(events.lines({"show", "1"})[0].at("headers").is_null());
  CHECK(events.run({"show", "1"}).out.find("headers") == std::string::npos);
  events.app.enqueue(support::event_of("user-9"),
                     {.headers = {{"traceparent", "00-1"}, {"inviter", "amy@achme.com"}}});
  CHECK(events.lines({"show", "9"})[0].at("headers") ==
        json{{"traceparent", "00-1"}, {"inviter", "a**@achme.com"}});
  CHECK(events.lines({"show", "9", "--reveal"})[0].at("headers").at("inviter") == "amy@achme.com");
  const std::string screen = events.run({"show", "9"}).out;
  CHECK(screen.find("headers\n  {\n    \"traceparent\": \"00-1\"") != std::string::npos);
  CHECK(screen.find("amy@achme.com") == std::string::npos);
}

TEST_CASE("explain says what an event waits for") {
  const EachState events;
  const auto waiting_for = [&](const char* id) {
    return events.lines({"explain", id})[0].at("waiting_for");
  };
  CHECK(waiting_for("1") == nullptr);
  CHECK(waiting_for("2") == "dispatcher");
  CHECK(waiting_for("3") == "schedule");
  CHECK(waiting_for("5") == nullptr);
  CHECK(waiting_for("8") == "ordering_key");
  outbox::pause(const_cast<support::AppDatabase&>(events.app).db(), "track",
                {.reason = "maintenance"});
  CHECK(waiting_for("2") == "pause");
  const json line = events.lines({"explain", "2"})[0];
  CHECK(line.at("id") == 2);
  CHECK(line.at("state") == "pending");
  CHECK(line.at("text").get<std::string>().rfind(
            "2 signed_up is pending: its destination was paused", 0) == 0);
  CHECK(events.run({"explain", "99"}).code == 3);
}

TEST_CASE("batches shows the request log, the newest first") {
  const EachState events;
  const auto lines = events.lines({"batches"});
  REQUIRE(lines.size() == 1);
  for (const char* name :
       {"id", "destination", "started_at", "took_ms", "events", "first_id", "last_id", "bytes",
        "status", "outcome", "reason", "response_id", "warnings", "parent"}) {
    CAPTURE(name);
    CHECK(lines[0].contains(name));
  }
  CHECK(events.run({"batches"}).out.find("delivered") != std::string::npos);
  CHECK(events.run({"batches", "--destination", "other"}).code == 3);
}

TEST_CASE("nothing that a terminal obeys, and no address, comes out raw") {
  support::AppDatabase app;
  for (const std::string& text : hostile) {
    SQLite::Statement insert{app.db(),
                             "insert into outbox_events (payload) values"
                             " (json_object('event_name', ?1, 'user_id', ?1 || 'eve@achme.com',"
                             " 'properties', json_object('k' || ?1, ?1, 'eve@achme.com', 1),"
                             " 'context', json_object('group_id', ?1)))"};
    insert.bind(1, text);
    insert.exec();
    SQLite::Statement death{
        app.db(),
        "update outbox_queue set state = 4, last_error = ?1 || 'eve@achme.com' where state = 0"};
    death.bind(1, text);
    death.exec();
    SQLite::Statement request{
        app.db(),
        "insert into outbox_requests (destination, started_at_ms, took_ms, events,"
        " first_id, last_id, ids, bytes, outcome, reason, response_id, warnings) values"
        " ('track', 0, 0, 1, 1, 9, '1-9', 2, 'refused', ?1 || 'eve@achme.com', ?1, ?1)"};
    request.bind(1, text);
    request.exec();
  }
  app.db().exec(
      "insert into outbox_destinations (name, paused_at_ms, paused_reason, hold_kind,"
      " hold_reason, hold_since_ms, hold_until_ms) values ('track', 1,"
      " 'for eve@achme.com' || char(27), 'k', 'eve@achme.com' || char(27), 1, 1)");

  for (const std::vector<std::string>& command : {std::vector<std::string>{"list"},
                                                  {"show", "1"},
                                                  {"show", "3"},
                                                  {"explain", "2"},
                                                  {"batches"},
                                                  {"status"}}) {
    for (const char* form : {"--utc", "--json"}) {
      std::vector<std::string> arguments = {OUTBOX_CLI};
      arguments.insert(arguments.end(), command.begin(), command.end());
      arguments.insert(arguments.end(), {form, "--db", app.path()});
      const Finished finished = support::run(arguments);
      CAPTURE(command[0]);
      CAPTURE(form);
      CAPTURE(finished.out);
      CHECK(finished.code == 0);
      CHECK_FALSE(finished.out.empty());
      for (const char* raw : {"\x1b", "\x07", "\x7F", "\xC2\x9B", "\u202E", "\u2066", "eve@"}) {
        CHECK(finished.out.find(raw) == std::string::npos);
      }
    }
  }
}

TEST_CASE("run delivers until it is told to stop") {
  for (const int signal : {SIGTERM, SIGINT}) {
    support::AppDatabase app;
    TrackServer server;
    support::Process process{{OUTBOX_CLI, "run", "--db", app.path(), "--url", server.url()},
                             {{"OUTBOX_TOKEN", "t"}}};
    CHECK(process.first_line() == "outbox dispatches track");
    app.enqueue_many(10);
    CHECK(server.wait_for_events(10, std::chrono::seconds{30}));
    CHECK(process.end(signal) == 0);
    CHECK(app.count("state = 'delivered'") == 10);
  }
}

TEST_CASE("run stands by beside another dispatcher, and takes over when that one is killed") {
  support::AppDatabase app;
  TrackServer server;
  const std::vector<std::string> command = {OUTBOX_CLI, "run",   "--db",
                                            app.path(), "--url", server.url()};
  const support::Environment environment = {{"OUTBOX_TOKEN", "t"}};
  support::Process first{command, environment};
  app.enqueue_many(1);
  REQUIRE(server.wait_for_events(1, std::chrono::seconds{30}));
  support::Process second{command, environment};
  CHECK(second.first_line() == "outbox stands by for track: another one dispatches");
  CHECK(outbox::status(app.db()).destinations.at(0).dispatcher->pid == first.pid());
  first.end(SIGKILL);
  app.enqueue_many(1);
  CHECK(server.wait_for_events(2, std::chrono::seconds{30}));
  CHECK(outbox::status(app.db()).destinations.at(0).dispatcher->pid == second.pid());
}

TEST_CASE("run refuses what it could never do") {
  const support::TemporaryFolder folder;
  CHECK(support::run({OUTBOX_CLI, "run", "--db", folder.file("typo.db")}).code == 2);
  CHECK(std::filesystem::is_empty(folder.path()));
  SQLite::Database{folder.file("bare.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec(
      "create table own (x)");
  CHECK(support::run(
            {OUTBOX_CLI, "run", "--db", folder.file("bare.db"), "--url", "http://127.0.0.1:1/"})
            .code == 6);
}

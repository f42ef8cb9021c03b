// The CLI as its users meet it: a program, files, exit codes. The contract of its JSON is checked
// member by member.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/webhook_receiver.hpp"
#include "track_server/server.hpp"

using nlohmann::json;
using support::Finished;
using track_server::TrackServer;

namespace {

const std::string seed = R"([
  {
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
    "context": {
      "group_id": "bp497d1a-0159-4009-9454-8a1b0e7c0a60"
    }
  }
])";

Finished cli(std::vector<std::string> arguments, const support::Environment& environment = {},
             const std::string& input = {}) {
  arguments.insert(arguments.begin(), OUTBOX_CLI);
  return support::run(arguments, environment, input);
}

// A database that the CLI made, and an endpoint.
struct NewApp {
  NewApp() { REQUIRE(cli({"migrate", "--db", db}).code == 0); }

  Finished run(std::vector<std::string> arguments, const std::string& input = {}) const {
    return cli(std::move(arguments),
               {{"OUTBOX_DB", db}, {"OUTBOX_URL", server.url()}, {"OUTBOX_TOKEN", "t0ken"}}, input);
  }
  SQLite::Database open() const { return SQLite::Database{db, SQLite::OPEN_READWRITE, 5000}; }

  support::TemporaryFolder folder;
  std::string db = folder.file("app.db");
  TrackServer server;
};

}  // namespace

TEST_CASE("the seed's sample arrives equal to itself through enqueue and drain") {
  const NewApp app;

  const Finished enqueued = app.run({"enqueue", "--json"}, seed);
  const Finished drained = app.run({"drain", "--json"});

  CHECK(enqueued.code == 0);
  CHECK(json::parse(enqueued.out) == json{{"enqueued", 1}, {"first_id", 1}, {"last_id", 1}});
  CHECK(drained.code == 0);
  CHECK(json::parse(drained.out) ==
        json{{"delivered", 1}, {"dead", 0}, {"remaining", 0}, {"requests", 1}});
  REQUIRE(app.server.events().size() == 1);
  CHECK(json::parse(app.server.events()[0]) == json::parse(seed)[0]);
}

TEST_CASE("enqueue takes an object, an array and NDJSON, from a file or standard input") {
  const NewApp app;
  std::ofstream{app.folder.file("events.json")} << "\xEF\xBB\xBF [" << support::payload_of("1")
                                                << ",\n"
                                                << support::payload_of("2") << " ] \n";
  CHECK(app.run({"enqueue", app.folder.file("events.json")}).out == "2 events enqueued: 1 to 2\n");
  CHECK(app.run({"enqueue", "-"}, support::payload_of("3")).out == "1 event enqueued: 3\n");
  CHECK(app.run({"enqueue"}, support::payload_of("4") + "\n\n" + support::payload_of("5") + "\r\n")
            .out == "2 events enqueued: 4 to 5\n");
  CHECK(app.open()
            .execAndGet("select group_concat(payload ->> '$.user_id', '') from outbox_events")
            .getString() == "12345");
}

TEST_CASE("bad input names element and field, exits 2 and stores nothing") {
  struct Row {
    std::string input;
    const char* error;
  };
  const std::string good = support::payload_of("u");
  const Row rows[] = {
      {"[" + good + R"(,{"event":"invite_sent","user_id":"u","timestamp":"2024-10-20T15:51:35Z"}])",
       "outbox: events[1].event_name: required (\"event\" is no field of the Track API)\n"},
      {"[" + good + R"(,{"event_name":"e","user_id":"u","timestamp":"20-11-23T22:28:55.111Z"}])",
       "outbox: events[1].timestamp: must be an ISO 8601 instant such as "
       "2024-10-20T15:51:35.059000Z\n"},
      {good + "\n" + R"({"event_name":"e","timestamp":"2024-10-20T15:51:35Z"})",
       "outbox: events[1].user_id: required\n"},
      {"[" + good + ",{\"event_name\":\"e\",}]", "outbox: events[1]: not valid JSON at byte 18\n"},
      {"[" + good + ",42]", "outbox: events[1]: must be a JSON object\n"},
      {"[" + good + ",[" + good + "]]", "outbox: events[1]: must be a JSON object\n"},
      {"[" + good + ",]", "outbox: events[1]: not valid JSON: an element is missing\n"},
      {"[" + good + " " + good + "]",
       "outbox: events[1]: not valid JSON: a comma or ] is missing before it\n"},
      {"[" + good, "outbox: events[1]: not valid JSON: a comma or ] is missing before it\n"},
      {"[" + good + "] x", "outbox: events[1]: not valid JSON: text behind the end of the array\n"},
      {good + ",", "outbox: events[1]: not valid JSON\n"},
      {"{\"event_name\":\"e", "outbox: events[0]: not valid JSON at byte 16\n"},
      {"\"text\"", "outbox: events[0]: must be a JSON object\n"},
      {" \n", "outbox: the input holds no event\n"},
      {"[]", "outbox: the input holds no event\n"},
      {R"({"event_name":"invite_sent","user_id":"u","timestamp":"2024-10-20T15:51:35Z",)"
       R"("properties":{"invitee_email":"amy at achme"}})",
       "outbox: events[0].properties.invitee_email: must have one @ with something on both "
       "sides\n"},
  };
  const NewApp app;
  for (const Row& row : rows) {
    CAPTURE(row.input);
    const Finished finished = app.run({"enqueue"}, row.input);
    CHECK(finished.code == 2);
    CHECK(finished.out.empty());
    CHECK(finished.err == row.error);
  }
  CHECK(app.open().execAndGet("select count(*) from outbox_events").getInt() == 0);
}

TEST_CASE("enqueue knows dedupe, ordering, delay and a dry run") {
  const NewApp app;
  CHECK(app.run({"enqueue", "--dedupe-key", "k"}, support::payload_of("1")).code == 0);
  CHECK(app.run({"enqueue", "--dedupe-key", "k"}, support::payload_of("2")).out ==
        "0 events enqueued: event 1 has this dedupe key\n");
  CHECK(app.run({"enqueue", "--ordering-key", "o", "--delay", "1h", "--destination", "other"},
                support::payload_of("3"))
            .code == 0);
  CHECK(app.run({"enqueue", "--dry-run"}, support::payload_of("4")).out ==
        "would enqueue 1 event\n");
  CHECK(app.run({"enqueue", "--delay", "soon"}, support::payload_of("5")).code == 2);
  SQLite::Database db = app.open();
  CHECK(db.execAndGet("select count(*) from outbox_events").getInt() == 2);
  CHECK(db.execAndGet("select count(*) from outbox_events where ordering_key = 'o' and"
                      " destination = 'other' and due_at_ms > enqueued_at_ms + 3500000")
            .getInt() == 1);
}

TEST_CASE("only migrate and enqueue --create make a database, and for their owner alone") {
  const support::TemporaryFolder folder;
  const std::string db = folder.file("new.db");
  for (const char* command : {"status", "drain", "enqueue"}) {
    CAPTURE(command);
    const Finished finished = cli({command, "--db", db}, {}, support::payload_of("u"));
    CHECK(finished.code == 2);
    CHECK(finished.err.find("no database at ") != std::string::npos);
  }
  CHECK(std::filesystem::is_empty(folder.path()));

  CHECK(cli({"enqueue", "--create", "--db", db}, {}, support::payload_of("u")).code == 0);
  struct stat facts {};
  REQUIRE(stat(db.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777U) == 0600U);
}

TEST_CASE("a database without the schema, or with a newer one, exits 6") {
  const support::TemporaryFolder folder;
  const std::string db = folder.file("app.db");
  SQLite::Database{db, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE}.exec("create table own (x)");
  CHECK(cli({"status", "--db", db}).code == 6);
  CHECK(cli({"enqueue", "--db", db}, {}, support::payload_of("u")).code == 6);
  CHECK(cli({"drain", "--db", db}).code == 6);
  CHECK(cli({"migrate", "--check", "--db", db}).code == 6);
  CHECK(cli({"migrate", "--db", db}).code == 0);
  CHECK(cli({"migrate", "--check", "--db", db}).code == 0);
  const Finished again = cli({"migrate", "--json", "--db", db});
  CHECK(json::parse(again.out) == json{{"from", 1}, {"to", 1}, {"needed", 1}});

  SQLite::Database{db, SQLite::OPEN_READWRITE}.exec(
      "insert into outbox_migrations values (99, '0099_future', 0, '9')");
  CHECK(cli({"status", "--db", db}).code == 6);
  CHECK(cli({"migrate", "--db", db}).code == 6);
}

TEST_CASE("status tells the whole queue as JSON") {
  const NewApp app;
  app.run({"enqueue"}, support::payload_of("1") + support::payload_of("2"));
  app.run({"enqueue", "--delay", "1h"}, support::payload_of("3"));
  app.run({"drain"});
  app.run({"enqueue", "--destination", "typo"}, support::payload_of("4"));

  const Finished finished = app.run({"status", "--json"});
  CHECK(finished.code == 0);
  const json status = json::parse(finished.out);

  CHECK(status.at("schema") == "outbox.status/1");
  const std::map<std::string, int> counts = {{"pending", 2},   {"due", 1},
                                             {"scheduled", 1}, {"retrying", 0},
                                             {"dead", 0},      {"discarded", 0},
                                             {"delivered", 2}, {"enqueued", 4},
                                             {"removed", 0},   {"delivered_total", 2}};
  for (const auto& [name, count] : counts) {
    CAPTURE(name);
    CHECK(status.at(name) == count);
  }
  CHECK(status.at("oldest_due_age_ms") >= 0);
  REQUIRE(status.at("destinations").size() == 2);
  const json& track = status["destinations"][0];
  CHECK(track.at("name") == "track");
  CHECK(track.at("pending") == 1);
  CHECK(track.at("delivered") == 2);
  CHECK(track.at("oldest_due_age_ms") == nullptr);
  CHECK(track.at("paused") == nullptr);
  CHECK(track.at("hold") == nullptr);
  CHECK(track.at("dispatcher") == nullptr);
  CHECK(status["destinations"][1].at("was_ever_served") == false);
  CHECK(json::parse(app.run({"status", "--json", "--destination", "typo"}).out).at("pending") == 1);
}

TEST_CASE("status on a screen names the hold, the pause and a destination that nobody serves") {
  const NewApp app;
  app.run({"enqueue"}, support::payload_of("1"));
  CHECK(app.run({"status"}).out.find("! no dispatcher has ever served track") != std::string::npos);
  auto* const server = const_cast<TrackServer*>(&app.server);
  server->misbehave({.status = 503});
  CHECK(app.run({"drain", "--timeout", "1s"}).code == 1);
  SQLite::Database db = app.open();
  outbox::pause(db, "track", {.reason = "maintenance\x1b[2J"});

  const std::string screen = app.run({"status", "--utc"}).out;

  CHECK(screen.find("hold   track: HTTP 503") != std::string::npos);
  CHECK(screen.find("pause  track: since ") != std::string::npos);
  CHECK(screen.find('\x1b') == std::string::npos);
  const json hold = json::parse(app.run({"status", "--json"}).out)["destinations"][0]["hold"];
  CHECK(hold.at("reason").get<std::string>().rfind("HTTP 503", 0) == 0);
  CHECK(hold.at("since").get<std::string>().size() == 24);
  CHECK(hold.at("until").get<std::string>().back() == 'Z');
}

TEST_CASE("drain says what became of it by its exit code") {
  const NewApp app;
  auto* const server = const_cast<TrackServer*>(&app.server);
  CHECK(app.run({"drain"}).code == 0);  // nothing is due
  app.run({"enqueue"}, support::payload_of("1"));

  SUBCASE("1 when the endpoint does not take it in time") {
    server->misbehave({.status = 500});
    const Finished finished = app.run({"drain", "--timeout", "1s", "--json"});
    CHECK(finished.code == 1);
    CHECK(json::parse(finished.out).at("remaining") == 1);
    CHECK(finished.err.find("HTTP 500") != std::string::npos);
  }
  SUBCASE("4 when it refuses the credentials, and no event suffers") {
    server->set_token("another");
    CHECK(app.run({"drain"}).code == 4);
    CHECK(app.open()
              .execAndGet("select count(*) from outbox_event_states where state = 'pending'"
                          " and refusals + solo_failures = 0")
              .getInt() == 1);
  }
  SUBCASE("4 without any credentials, before any request") {
    const std::vector<std::string> drain = {"drain", "--db", app.db, "--url", app.server.url()};
    CHECK(cli(drain).code == 4);
    CHECK(cli(drain, {{"OUTBOX_TOKEN", ""}}).code == 4);
    CHECK(app.run({"drain", "--token-file", app.folder.file("none")}).code == 4);
    CHECK(app.server.request_count() == 0);
    std::vector<std::string> without = drain;
    without.insert(without.end(), {"--auth", "none"});
    CHECK(cli(without).code == 4);  // the endpoint's answer
    CHECK(app.server.request_count() > 0);
  }
  SUBCASE("1 while the destination is paused") {
    SQLite::Database db = app.open();
    outbox::pause(db, "track", {.reason = "why"});
    CHECK(app.run({"drain"}).code == 1);
    CHECK(app.server.request_count() == 0);
  }
  SUBCASE("2 for a URL that would show the token to others") {
    CHECK(app.run({"drain", "--url", "http://example.com/"}).code == 2);
    CHECK(app.run({"drain", "--url", "nonsense"}).code == 2);
  }
  SUBCASE("0 for a dry run, which sends nothing") {
    CHECK(app.run({"drain", "--dry-run"}).out == "would send 1 event of track\n");
    CHECK(app.server.request_count() == 0);
  }
}

TEST_CASE("drain finds a refused event among its neighbours, and delivers those") {
  NewApp app;
  std::string events;
  for (int i = 0; i < 50; ++i) events += support::payload_of("user-" + std::to_string(i)) + "\n";
  REQUIRE(app.run({"enqueue"}, events).code == 0);
  app.server.misbehave({.status = 422, .only_with = "user-31"});

  const Finished drained = app.run({"drain", "--json"});
  const json report = json::parse(drained.out);
  CHECK(drained.code == 7);
  CHECK(report.at("delivered") == 49);
  CHECK(report.at("dead") == 1);
  CHECK(report.at("remaining") == 0);
  CHECK(report.at("requests") <= 14);
  CHECK(drained.err == "! 1 is dead:  outbox list --state dead --destination track\n");
  const json dead = json::parse(app.run({"list", "--state", "dead", "--json"}).out);
  CHECK(dead.at("user_id") == "user-31");
  CHECK(dead.at("last_error") == "refused: HTTP 422: misbehaves as asked");
  CHECK(app.run({"batches"}).out.find("refused → halved: HTTP 422") != std::string::npos);
  CHECK(app.run({"show", "32"}).out.find("refused alone: HTTP 422") != std::string::npos);
}

TEST_CASE("an event that is refused while nothing else is accepted is not dead, and drain fails") {
  NewApp app;
  REQUIRE(app.run({"enqueue"}, support::payload_of("user-1")).code == 0);
  app.server.misbehave({.status = 400});
  const Finished drained = app.run({"drain", "--json"});
  CHECK(drained.code == 1);
  CHECK(json::parse(drained.out) ==
        json{{"delivered", 0}, {"dead", 0}, {"remaining", 1}, {"requests", 1}});
  CHECK(drained.err.find("outbox list --state retrying") != std::string::npos);
  const json explained = json::parse(app.run({"explain", "1", "--json"}).out);
  CHECK(explained.at("waiting_for") == "retry");
  CHECK(explained.at("state") == "retrying");
}

TEST_CASE("an event that is older than the long_enough that was given dies as expired") {
  NewApp app;
  REQUIRE(app.run({"enqueue"}, support::payload_of("user-1") + "\n" + support::payload_of("user-2"))
              .code == 0);
  app.open().exec(
      "update outbox_events set enqueued_at_ms = 1000 where id = 1;"
      "update outbox_queue set enqueued_at_ms = 1000 where event = 1");
  const Finished drained = app.run({"drain", "--json", "--give-up-after", "7d"});
  CHECK(json::parse(drained.out) ==
        json{{"delivered", 1}, {"dead", 1}, {"remaining", 0}, {"requests", 1}});
  CHECK(app.server.event_count() == 1);
  CHECK(app.run({"drain", "--give-up-after", "soon"}).code == 2);
}

TEST_CASE("drain keeps what the app's dispatcher was told about dead events") {
  NewApp app;
  REQUIRE(app.run({"enqueue"}, support::payload_of("user-1")).code == 0);
  SQLite::Database db = app.open();
  db.exec(
      "insert into outbox_destinations (name, first_served_at_ms, block_on_dead)"
      " values ('track', 1, 1)");
  CHECK(app.run({"drain"}).code == 0);
  CHECK(db.execAndGet("select block_on_dead from outbox_destinations").getInt() == 1);
}

TEST_CASE("drain reads the token from a file, and can send it as a key") {
  const NewApp app;
  std::ofstream{app.folder.file("token")} << "from-file\n";
  app.run({"enqueue"}, support::payload_of("1"));
  CHECK(app.run({"drain", "--token-file", app.folder.file("token"), "--auth", "x-api-key"}).code ==
        0);
  CHECK(app.server.requests().at(0).api_key == "from-file");
}

TEST_CASE("drain beside a dispatcher waits for it and reports what it did") {
  const NewApp app;
  auto* const server = const_cast<TrackServer*>(&app.server);
  server->misbehave({.status = 503});
  outbox::Dispatcher dispatcher{
      app.db,
      outbox::track_api({.credentials = outbox::bearer("t"), .url = app.server.url()}),
      {.backoff_min = std::chrono::minutes{10}}};
  app.run({"enqueue"},
          support::payload_of("1") + support::payload_of("2") + support::payload_of("3"));
  dispatcher.notify();
  REQUIRE(app.server.wait_for_requests(1, std::chrono::seconds{30}));
  server->behave();

  const Finished finished = app.run({"drain", "--json"});

  CHECK(finished.code == 0);
  CHECK(finished.err.find("dispatches track: waits for it") != std::string::npos);
  CHECK(json::parse(finished.out).at("delivered") == 3);
  CHECK(json::parse(finished.out).at("remaining") == 0);
  CHECK(app.server.event_count() == 3);
}

TEST_CASE("a mistyped destination, a full pipe and an empty variable are told from success") {
  const NewApp app;
  app.run({"enqueue"}, support::payload_of("1"));
  const Finished mistyped = app.run({"status", "--destination", "trak"});
  CHECK(mistyped.code == 3);
  CHECK(mistyped.err.find("trak") != std::string::npos);
  CHECK(support::run({"/bin/sh", "-c", OUTBOX_CLI " status --db " + app.db + " >/dev/full"}).code ==
        1);
  CHECK(app.run({"drain", "--url", ""}).code == 2);
  CHECK(app.run({"drain", "--token-file", ""}).code == 2);
  CHECK(app.run({"enqueue", "--delay", "1000000000d"}, support::payload_of("2")).code == 2);
  CHECK(cli({"migrate", "--db", ":memory:"}).code == 2);
  CHECK(cli({"bad\x1b[2J"}).err == "outbox: no command bad\\x1B[2J; see `outbox help`\n");
  CHECK(app.server.request_count() == 0);
}

TEST_CASE("enqueue --create makes no database for events that it refuses") {
  const support::TemporaryFolder folder;
  CHECK(cli({"enqueue", "--create", "--db", folder.file("new.db")}, {}, "[{}]").code == 2);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a busy database exits 5") {
  const NewApp app;
  SQLite::Database db = app.open();
  db.exec("begin immediate");
  CHECK(app.run({"enqueue"}, support::payload_of("1")).code == 5);
}

TEST_CASE("bad usage exits 2, and help leads with an example") {
  CHECK(cli({}).code == 2);
  CHECK(cli({"no-such-command"}).code == 2);
  CHECK(cli({"status", "--no-such-option"}).code == 2);
  CHECK(cli({"status"}).code == 2);
  CHECK(cli({"drain", "--db", "x", "--auth", "basic"}).code == 2);
  CHECK(cli({"help", "no-such-command"}).code == 2);

  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"help"}, {"--help"}, {"help", "drain"}, {"drain", "--help"}}) {
    const Finished help = cli(arguments);
    CHECK(help.code == 0);
    CHECK(help.out.find("outbox drain --db app.db") < help.out.find("Usage:"));
  }
  CHECK(cli({"version"}).out.rfind("outbox 1.", 0) == 0);
  CHECK(json::parse(cli({"version", "--json"}).out).at("schema") == 1);
}

TEST_CASE("a file of another user is left alone unless that is allowed") {
  if (geteuid() != 0) return;  // only root can make such a file
  const NewApp app;
  REQUIRE(chown(app.db.c_str(), 12345, 12345) == 0);
  const Finished refused = app.run({"status"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("sudo -u '#12345'") != std::string::npos);
  CHECK(app.run({"status", "--allow-other-user"}).code == 0);
}

TEST_CASE("a token never appears in what the CLI prints or leaves in the database") {
  const NewApp app;
  const std::string secret = "s3cr3t-canary";
  app.run({"enqueue"}, seed);
  auto* const server = const_cast<TrackServer*>(&app.server);
  for (const int status : {200, 400, 401, 500, 302}) {
    server->misbehave(
        {.status = status,
         .body = R"({"success":false,"message":"no )" + secret + R"( for amy@achme.com"})"});
    const Finished finished =
        cli({"drain", "--db", app.db, "--url", app.server.url(), "--timeout", "1s"},
            {{"OUTBOX_TOKEN", secret}});
    CHECK((finished.out + finished.err).find("amy@achme.com") == std::string::npos);
  }
  SQLite::Database db = app.open();
  CHECK(db.execAndGet("select count(*) from outbox_requests where reason like '%amy@achme%'")
            .getInt() == 0);
}

TEST_CASE("--to sends events to a webhook, signed, and not the Track API's token") {
  const NewApp app;
  const support::WebhookReceiver hook;
  const std::string key_file = app.folder.file("webhook.key");
  std::ofstream{key_file} << "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string events = "[" + support::payload_of("a") + "," + support::payload_of("b") + "]";
  REQUIRE(app.run({"enqueue", "--destination", "hooks"}, events).code == 0);

  const Finished drained =
      app.run({"drain", "--destination", "hooks", "--to", hook.url(), "--format", "cloudevents",
               "--source", "/shop", "--array", "--signing-key-file", key_file});

  CHECK(drained.code == 0);
  REQUIRE(hook.requests().size() == 1);
  CHECK(json::parse(hook.requests()[0].body).size() == 2);
  CHECK(json::parse(hook.requests()[0].body)[0]["source"] == "/shop");
  CHECK_FALSE(hook.requests()[0].header("webhook-signature").empty());
  CHECK(hook.requests()[0].header("Authorization").empty());
  CHECK(app.server.request_count() == 0);
  CHECK(app.run({"doctor", "--online", "--destination", "hooks", "--to", hook.url()}).code == 0);
  CHECK(app.run({"drain", "--destination", "hooks", "--to", "ftp://127.0.0.1/"}).code == 2);
}

// The sink and the real server: every answer that the server can be made to give.

#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>

#include "sinks/nats/support.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using namespace support;

namespace {

void add_payload(AppDatabase& app, std::size_t bytes) {
  SQLite::Transaction transaction{app.db()};
  const std::string text = "{\"x\":\"" + std::string(bytes, 'x') + "\"}";
  enqueue(app.db(), Payload{.text = text}, {.destination = "events", .kind = "large"});
  transaction.commit();
}

const std::string with_users = R"(
authorization { users = [
  {user: admin, password: admin},
  {user: app, password: right, permissions: {
    publish: ["outbox.events.allowed"], subscribe: ["_INBOX.>"]}}
] })";

NatsCredentials app_user(const std::string& password) {
  return nats_user("app", from_callback([password] { return password; }));
}

struct SinkDesk {
  explicit SinkDesk(const std::string& subject = "outbox.>", NatsStreamLimits limits = {}) {
    reader.make_stream("OUT", subject, limits);
  }
  NatsProcess server;
  NatsReader reader{server};
  AppDatabase app;
};

}  // namespace

TEST_CASE("events arrive in order, byte for byte, with their ids, keys and headers") {
  SinkDesk desk;
  const std::string payload = "{ \"n\" : 1.10, \"text\" : \"\xC3\xA4\" }";
  SQLite::Transaction transaction{desk.app.db()};
  const std::string id = enqueue(desk.app.db(), Payload{.text = payload},
                                 {.destination = "events",
                                  .kind = "order.created",
                                  .headers = {{"traceparent", "00-ab"}},
                                  .ordering_key = "order:1"})
                             .event_id;
  enqueue(desk.app.db(), amy(), {.destination = "events"});
  transaction.commit();
  enqueue_numbers(desk.app, 248);

  CHECK(deliver(desk.app, nats_options(desk.server)).delivered == 250);

  const auto messages = desk.reader.read("OUT");
  REQUIRE(messages.size() == 250);
  CHECK(messages[0].subject == "outbox.events.order_created");
  CHECK(messages[0].body == payload);
  CHECK(messages[0].headers ==
        std::map<std::string, std::string>{{"Content-Type", "application/json"},
                                           {"Nats-Msg-Id", "events:" + id},
                                           {"Outbox-Event-Id", id},
                                           {"Outbox-Key", "order:1"},
                                           {"traceparent", "00-ab"}});
  CHECK(messages[1].subject == "outbox.events.track");
  CHECK(messages[1].headers.count("Outbox-Key") == 0);
  for (std::size_t n = 0; n < 248; ++n) {
    REQUIRE(messages[n + 2].body == "{\"n\":" + std::to_string(n) + "}");
  }
  CHECK(list_requests(desk.app.db(), "events", 1).at(0).response_id == "sequence 250");
}

TEST_CASE("CloudEvents are headers, and the body stays") {
  SinkDesk desk;
  enqueue_numbers(desk.app, 1);
  NatsOptions options = nats_options(desk.server);
  options.format = MessageFormat::cloudevents_binary;
  CHECK(deliver(desk.app, options).delivered == 1);
  const auto message = desk.reader.read("OUT").at(0);
  CHECK(message.body == "{\"n\":0}");
  CHECK(message.headers.at("ce-type") == "made");
  CHECK(message.headers.at("ce-partitionkey") == "key-0");
  CHECK(message.headers.at("ce-id") == message.headers.at("Outbox-Event-Id"));
}

TEST_CASE("what is sent again is known to the server, and stored once") {
  SinkDesk desk;
  enqueue_numbers(desk.app, 50);
  CHECK(deliver(desk.app, nats_options(desk.server)).delivered == 50);
  CHECK(requeue(desk.app.db(), Selection::all(), {.reason = "test"}) == 50);
  CHECK(deliver(desk.app, nats_options(desk.server)).delivered == 50);
  CHECK(desk.reader.count("OUT") == 50);
}

TEST_CASE("an event for two destinations is stored for both, in one stream, and once for each") {
  SinkDesk desk;
  for (int n = 0; n < 3; ++n) {
    desk.app.enqueue(amy(), {.destinations = {"orders", "audit"}});
  }
  for (const bool is_repetition : {false, true}) {
    CAPTURE(is_repetition);
    if (is_repetition) CHECK(requeue(desk.app.db(), Selection::all(), {.reason = "test"}) == 6);
    for (const char* destination : {"orders", "audit"}) {
      CHECK(deliver(desk.app, nats_options(desk.server), destination).delivered == 3);
    }
    std::map<std::string, int> of_subject;
    std::map<std::string, int> of_id;
    for (const auto& message : desk.reader.read("OUT")) {
      ++of_subject[message.subject];
      ++of_id[message.headers.at("Outbox-Event-Id")];
    }
    CHECK(of_subject ==
          std::map<std::string, int>{{"outbox.audit.track", 3}, {"outbox.orders.track", 3}});
    CHECK(of_id.size() == 3);
  }
}

TEST_CASE("nobody listens: unavailable") {
  NatsProcess server{"", false};
  AppDatabase app;
  enqueue_numbers(app, 3);
  deliver(app, nats_options(server));
  CHECK(last_word(app).find("unavailable: NATS: could not connect: ") == 0);
  CHECK(pending_without_blame(app) == 3);
  CHECK(connection_problem(nats_options(server)).find("could not connect") != std::string::npos);
}

TEST_CASE("of several servers the first that answers is taken") {
  SinkDesk desk;
  NatsProcess dead{"", false};
  enqueue_numbers(desk.app, 3);
  NatsOptions options = nats_options(desk.server);
  options.url = dead.url() + "," + desk.server.url();
  CHECK(deliver(desk.app, options).delivered == 3);
}

TEST_CASE("no stream takes the subject: misconfigured") {
  SinkDesk desk{"other.>"};
  enqueue_numbers(desk.app, 3);
  deliver(desk.app, nats_options(desk.server));
  CHECK(last_word(desk.app).find("misconfigured: NATS: no stream takes the subject") == 0);
  CHECK(pending_without_blame(desk.app) == 3);
}

TEST_CASE("another stream than the expected one takes it: misconfigured") {
  SinkDesk desk;
  enqueue_numbers(desk.app, 3);
  NatsOptions options = nats_options(desk.server);
  options.stream = "ELSE";
  deliver(desk.app, options);
  CHECK(last_word(desk.app).find("misconfigured: NATS 10060: ") == 0);
  CHECK(connection_problem(options).find("NATS 10059") == 0);
  options.stream = "OUT";
  CHECK(connection_problem(options) == "");
  CHECK(deliver(desk.app, options).delivered == 3);
}

TEST_CASE("JetStream is not enabled for the account: misconfigured") {
  NatsProcess server{"accounts: { A: { users: [ {user: app, password: right} ] } }"};
  AppDatabase app;
  enqueue_numbers(app, 3);
  NatsOptions options = nats_options(server);
  options.credentials = app_user("right");
  deliver(app, options);
  CHECK(last_word(app).find("misconfigured: ") == 0);
  options.stream = "OUT";
  CHECK(connection_problem(options) != "");
}

TEST_CASE("a message above the stream's size is refused by itself, the others pass") {
  SinkDesk desk{"outbox.>", {.message_bytes_max = 1'000}};
  enqueue_numbers(desk.app, 5);
  add_payload(desk.app, 2'000);
  enqueue_numbers(desk.app, 5);
  CHECK(deliver(desk.app, nats_options(desk.server)).delivered == 10);
  CHECK(desk.app.count("last_error like '%NATS 10054%'") == 1);
  CHECK(desk.reader.count("OUT") == 10);
}

TEST_CASE("a message above the server's max_payload is refused by itself, the others pass") {
  NatsProcess server{"max_payload: 10000"};
  NatsReader reader{server};
  reader.make_stream("OUT", "outbox.>");
  AppDatabase app;
  enqueue_numbers(app, 5);
  add_payload(app, 20'000);
  enqueue_numbers(app, 5);
  CHECK(deliver(app, nats_options(server)).delivered == 10);
  CHECK(app.count("last_error like '%larger than the server''s max_payload%'") == 1);
}

TEST_CASE("a full stream that refuses what is new: what fits is delivered, the rest waits") {
  SinkDesk desk{"outbox.>", {.messages_max = 7}};
  enqueue_numbers(desk.app, 20);
  DispatcherOptions dispatching = to_events();
  dispatching.clock = outbox::testing::ManualClock{}.function();
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(nats_options(desk.server)), dispatching};
  CHECK(becomes_true([&] {
    return desk.app.count("last_error like '%NATS 10077: maximum messages exceeded%'") == 13;
  }));
  add_payload(desk.app, 10);  // has no key, so it waits for none of them
  dispatcher.notify();
  CHECK(becomes_true([&] { return dispatcher.stats().hold.find("NATS 10077") == 0; }));
  dispatcher.stop();
  CHECK(desk.app.count("state = 'delivered'") == 7);
  CHECK(desk.app.count("state = 'dead'") == 0);
  CHECK(desk.reader.count("OUT") == 7);
}

TEST_CASE("a subject that is not permitted is unauthorized, long before its message times out") {
  NatsProcess server{with_users};
  NatsReader reader{server, "admin", "admin"};
  reader.make_stream("OUT", "outbox.>");
  AppDatabase app;
  enqueue_numbers(app, 3, "allowed");
  enqueue_numbers(app, 3, "denied");
  NatsOptions options = nats_options(server);
  options.credentials = app_user("right");
  options.ack_timeout = 10min;
  const auto report = deliver(app, options);
  CHECK(report.delivered == 3);
  CHECK(report.is_unauthorized);
  CHECK(report.hold == "NATS: not permitted");
  CHECK(pending_without_blame(app) == 3);
  CHECK(reader.count("OUT") == 3);
}

TEST_CASE("a wrong password is unauthorized, and the right one ends the wait") {
  NatsProcess server{with_users};
  NatsReader reader{server, "admin", "admin"};
  reader.make_stream("OUT", "outbox.>");
  AppDatabase app;
  const std::string file = app.folder().file("password");
  std::ofstream{file} << "wr0ng-sEcret";
  enqueue_numbers(app, 3, "allowed");
  NatsOptions options = nats_options(server);
  options.credentials = nats_user("app", from_file(file));
  CHECK(connection_problem(options).find("could not connect") != std::string::npos);
  DispatcherOptions patient = to_events();
  patient.backoff_min = 30min;  // no try of its own in this test
  patient.backoff_max = 30min;
  std::string notices;
  patient.observer = [&](const Notice& notice) { notices += notice.text; };
  Dispatcher dispatcher{app.path(), nats_jetstream(options), patient};
  CHECK(becomes_true([&] { return !dispatcher.stats().hold.empty(); }));
  CHECK(last_word(app).find("unauthorized: NATS: could not connect: ") == 0);
  std::ofstream{file} << "right";
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 3; }));
  dispatcher.stop();
  CHECK(notices.find("wr0ng") == std::string::npos);
  CHECK(app.count("last_error like '%wr0ng%'") == 0);
}

TEST_CASE("a token or a password that cannot be read sends nothing") {
  SinkDesk desk;
  enqueue_numbers(desk.app, 3);
  NatsOptions options = nats_options(desk.server);
  options.credentials = nats_token(from_file(desk.app.folder().file("no such file")));
  const auto report = deliver(desk.app, options);
  CHECK(report.hold == "the secret file cannot be opened: No such file or directory");
  CHECK(report.requests == 0);
  CHECK(desk.reader.count("OUT") == 0);
}

TEST_CASE("a stream is made only when asked for, and one that is there stays as it is") {
  NatsProcess server;
  NatsReader reader{server};
  AppDatabase app;
  enqueue_numbers(app, 3);
  NatsOptions options = nats_options(server);
  options.stream = "MADE";
  deliver(app, options);
  CHECK(app.count("state = 'delivered'") == 0);
  options.create_stream = NatsStream{.messages_max = 5};
  CHECK(connection_problem(options) == "");
  CHECK_THROWS(reader.count("MADE"));  // a look makes none
  CHECK(deliver(app, options).delivered == 3);
  options.create_stream = NatsStream{.messages_max = 500};
  enqueue_numbers(app, 2);
  CHECK(deliver(app, options).delivered == 2);
  enqueue_numbers(app, 1);
  CHECK(deliver(app, options).delivered == 0);  // still 5
}

TEST_CASE("a stream that JetStream does not make for what is asked of it: misconfigured") {
  NatsProcess server;
  AppDatabase app;
  enqueue_numbers(app, 3);
  NatsOptions options = nats_options(server);
  options.stream = "FIRST";
  options.create_stream = NatsStream{};
  CHECK(deliver(app, options).delivered == 3);

  options.stream = "SECOND";  // takes the same subjects
  enqueue_numbers(app, 3);
  CHECK(deliver(app, options).delivered == 0);
  CHECK(last_word(app) ==
        "misconfigured: NATS 10065: its subjects overlap another stream's (making the stream "
        "SECOND)");
  CHECK(pending_without_blame(app) == 3);

  options.create_stream->subjects = {"mail.>"};
  options.create_stream->replicas = 5;  // of one server: not in the table of errors
  deliver(app, options);
  CHECK(last_word(app).find("misconfigured: NATS 10074: ") == 0);
}

TEST_CASE("a client's threads leave the host's signals alone") {
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  SinkDesk desk;
  enqueue_numbers(desk.app, 1);
  deliver(desk.app, nats_options(desk.server));
  struct sigaction after {};
  sigaction(SIGPIPE, nullptr, &after);
  CHECK((after.sa_handler == before.sa_handler));
}

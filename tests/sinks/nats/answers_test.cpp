// Who answers, and for what: a service that is no stream, a stream that is full, one that is mute.

#include <doctest/doctest.h>
#include <nats/nats.h>

#include "sinks/nats/support.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using namespace support;

namespace {

// A plain subscriber, which gives each message the same reply.
class Service {
 public:
  Service(const NatsProcess& server, const char* subject, std::string reply)
      : reply_{std::move(reply)} {
    REQUIRE(natsConnection_ConnectTo(&connection_, server.url().c_str()) == NATS_OK);
    REQUIRE(natsConnection_Subscribe(&subscription_, connection_, subject, give, this) == NATS_OK);
    REQUIRE(natsConnection_Flush(connection_) == NATS_OK);
  }
  ~Service() {
    natsConnection_Close(connection_);
    natsSubscription_Destroy(subscription_);
    natsConnection_Destroy(connection_);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

 private:
  static void give(natsConnection* connection, natsSubscription*, natsMsg* message, void* self) {
    const std::string& reply = static_cast<Service*>(self)->reply_;
    natsConnection_PublishString(connection, natsMsg_GetReply(message), reply.c_str());
    natsMsg_Destroy(message);
  }

  const std::string reply_;
  natsConnection* connection_ = nullptr;
  natsSubscription* subscription_ = nullptr;
};

// Without keys: an event that goes alone holds back those of its key.
void enqueue_kind(AppDatabase& app, int count, const std::string& kind) {
  SQLite::Transaction transaction{app.db()};
  for (int n = 0; n < count; ++n) {
    enqueue(app.db(), Payload{.text = R"({"n":1})"}, {.destination = "events", .kind = kind});
  }
  transaction.commit();
}

}  // namespace

TEST_CASE("what a service that is no stream replies is no acknowledgement") {
  for (const std::string reply :
       {"{}", R"({"stream":"","seq":3})", R"({"stream":"OUT","seq":0})"}) {
    CAPTURE(reply);
    NatsProcess server;
    const Service service{server, "outbox.>", reply};
    AppDatabase app;
    enqueue_numbers(app, 3);
    CHECK(deliver(app, nats_options(server)).delivered == 0);
    CHECK(last_word(app) ==
          "misconfigured: NATS: something that is no stream answers on this subject");
    CHECK(pending_without_blame(app) == 3);
  }
}

TEST_CASE("a kind that cannot be stored goes alone, and the others do not wait for it") {
  for (const bool is_full : {true, false}) {
    CAPTURE(is_full);
    NatsProcess server;
    NatsReader reader{server};
    reader.make_stream("GOOD", "outbox.events.good");
    if (is_full) reader.make_stream("FULL", "outbox.events.bad", {.messages_max = 1});
    AppDatabase app;
    outbox::testing::ManualClock clock;
    DispatcherOptions dispatching = to_events();
    dispatching.clock = clock.function();
    enqueue_kind(app, 1, "good");
    if (is_full) enqueue_kind(app, 1, "bad");  // which fits
    for (int i = 0; i < 20; ++i) {             // the last batch, too, has some that can be stored
      enqueue_kind(app, 5, "bad");
      enqueue_kind(app, 10, "good");
    }
    Dispatcher dispatcher{app.path(), nats_jetstream(nats_options(server)), dispatching};
    REQUIRE(becomes_true([&] { return app.count("waits_as = 'suspect'") == 100; }));
    REQUIRE(becomes_true([&] { return reader.count("GOOD") == 201; }));
    // When they are tried alone, they stand in nobody's way either.
    std::uint64_t stored = 201;
    for (int day = 0; day < 20; ++day) {
      clock.advance(24h);
      enqueue_kind(app, 30, "good");
      stored += 30;
      dispatcher.notify();
      REQUIRE(becomes_true([&] { return reader.count("GOOD") == stored; }));
    }
    dispatcher.stop();
    CHECK(app.count("state = 'dead'") == 0);
    CHECK(app.count("kind = 'bad' and state <> 'delivered'") == 100);
  }
}

TEST_CASE("a stream that acknowledges nothing is misconfigured where it is looked at") {
  NatsProcess server;
  NatsReader reader{server};
  reader.make_stream("MUTE", "outbox.>", {.is_silent = true});
  NatsOptions options = nats_options(server);
  options.ack_timeout = 100ms;
  options.stream = "MUTE";
  const std::string what = "NATS: the stream MUTE acknowledges nothing (no_ack)";
  CHECK(connection_problem(options) == what);
  options.create_stream = NatsStream{};
  AppDatabase app;
  enqueue_kind(app, 3, "made");
  CHECK(deliver(app, options).delivered == 0);
  CHECK(last_word(app) == "misconfigured: " + what);
  CHECK(reader.count("MUTE") == 0);
}

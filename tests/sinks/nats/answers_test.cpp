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

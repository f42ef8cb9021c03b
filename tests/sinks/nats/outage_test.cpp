// The server is stopped, killed, or comes late: nothing is lost, nothing is stored twice, and the
// order of each key stays.

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "sinks/nats/support.hpp"
#include "sinks/nats_connect_limit.hpp"
#include "support/scripted_server.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using namespace support;

namespace {

// The long form is that of a release: an outage of a minute, 200,000 events and ten kills.
const bool is_long = std::getenv("OUTBOX_LONG_TESTS") != nullptr;

int number_in(const std::string& body) {
  return std::stoi(body.substr(body.find(':') + 1));
}

// Each number once, and those of a key in their order.
void check_each_once(const std::vector<NatsStored>& messages, int count, int keys) {
  REQUIRE(messages.size() == static_cast<std::size_t>(count));
  std::vector<int> last(static_cast<std::size_t>(keys), -1);
  std::vector<bool> seen(static_cast<std::size_t>(count), false);
  int repeated = 0;
  int out_of_order = 0;
  for (const NatsStored& message : messages) {
    const int n = number_in(message.body);
    const auto key = static_cast<std::size_t>(n % keys);
    repeated += seen.at(static_cast<std::size_t>(n)) ? 1 : 0;
    out_of_order += n < last[key] ? 1 : 0;
    seen[static_cast<std::size_t>(n)] = true;
    last[key] = n;
  }
  CHECK(repeated == 0);
  CHECK(out_of_order == 0);
}

std::string port_of(const ScriptedServer& server) {
  const std::size_t colon = server.url().rfind(':');
  return server.url().substr(colon + 1, server.url().size() - colon - 2);
}

// A connection of this process, as libnats makes it or as others do.
class Connection {
 public:
  Connection(const ScriptedServer& server, bool is_of_client)
      : file_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port_of(server))));
    REQUIRE(connect(file_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    const linger with_reset{.l_onoff = 1, .l_linger = 0};
    if (is_of_client) setsockopt(file_, SOL_SOCKET, SO_LINGER, &with_reset, sizeof(with_reset));
  }
  ~Connection() { close(file_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_shut_down() const {
    pollfd look{.fd = file_, .events = POLLRDHUP, .revents = 0};
    return poll(&look, 1, 0) > 0;
  }

 private:
  int file_;
};

struct OutageDesk {
  OutageDesk() { NatsReader{server}.make_stream("OUT", "outbox.>"); }
  std::vector<NatsStored> read() { return NatsReader{server}.read("OUT"); }

  NatsProcess server;
  AppDatabase app;
};

}  // namespace

TEST_CASE(
    "a server that stands still is not waited for, and gets everything once when it goes on") {
  OutageDesk desk;
  enqueue_numbers(desk.app, 100, "made", 7);
  NatsOptions options = nats_options(desk.server);
  options.ack_timeout = 300ms;
  options.connect_timeout = 300ms;
  desk.server.pause(SIGSTOP);
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(options), to_events()};
  // The kernel takes the connection, and nobody greets.
  CHECK(becomes_true([&] { return dispatcher.stats().requests >= 2; }));
  CHECK(dispatcher.stats().delivered == 0);
  desk.server.pause(SIGCONT);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 100; }));
  dispatcher.stop();
  check_each_once(desk.read(), 100, 7);
}

TEST_CASE("a server that greets and then says nothing is given up, with TLS and without") {
  for (const std::string scheme : {"nats", "tls"}) {
    CAPTURE(scheme);
    const ScriptedServer server{[&](Peer& peer, int) {
      peer.write(R"(INFO {"server_id":"a","version":"2.9.0","proto":1,"headers":true,)"
                 R"("max_payload":1048576,"tls_required":)" +
                 std::string{scheme == "tls" ? "true" : "false"} + "}\r\n");
      peer.read_bytes(100'000);  // until the client goes, or for ten seconds
    }};
    const NatsOptions options{.url = scheme + server.url().substr(4, server.url().size() - 5),
                              .connect_timeout = 100ms};
    CHECK(connection_problem(options) == "NATS: could not connect: Timeout");
  }
}

TEST_CASE("the limit on connecting ends the client's new connection, and no other of the process") {
  const auto waits = [](Peer& peer, int) { peer.read_bytes(1); };
  const ScriptedServer server{waits};
  const ScriptedServer other_server{waits};
  const Connection of_the_host_before{server, true};
  const sinks::NatsConnectLimit limit{{.url = {}, .host = "localhost", .port = port_of(server)},
                                      0ms};
  const Connection of_another_library{server, false};
  const Connection to_another_server{other_server, true};
  CHECK_FALSE(limit.has_acted());  // whatever looks there were
  const Connection fresh{server, true};
  CHECK(becomes_true([&] { return limit.has_acted(); }));
  CHECK(fresh.is_shut_down());
  CHECK_FALSE(of_the_host_before.is_shut_down());
  CHECK_FALSE(of_another_library.is_shut_down());
  CHECK_FALSE(to_another_server.is_shut_down());
}

TEST_CASE("a server that stops beneath a connection: no acknowledgement is no loss and no copy") {
  OutageDesk desk;
  NatsOptions options = nats_options(desk.server);
  options.ack_timeout = 300ms;
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(options), to_events()};
  enqueue_numbers(desk.app, 10, "made", 7);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 10; }));  // now it is connected
  desk.server.pause(SIGSTOP);
  {
    SQLite::Transaction transaction{desk.app.db()};
    for (int n = 10; n < 100; ++n) {
      enqueue(desk.app.db(), Payload{.text = "{\"n\":" + std::to_string(n) + "}"},
              {.destination = "events", .kind = "made"});
    }
    transaction.commit();
  }
  CHECK(becomes_true([&] {
    return desk.app.number(
               "select count(*) from outbox_requests where outcome = 'failed'"
               " and reason = 'NATS: no acknowledgement'") > 0;
  }));
  if (is_long) std::this_thread::sleep_for(1min);
  desk.server.pause(SIGCONT);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 100; }));
  dispatcher.stop();
  check_each_once(desk.read(), 100, 100);
}

TEST_CASE("stopping does not wait for a server that stands still") {
  OutageDesk desk;
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(nats_options(desk.server)), to_events()};
  enqueue_numbers(desk.app, 1);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 1; }));
  desk.server.pause(SIGSTOP);
  enqueue_numbers(desk.app, 50);
  CHECK(becomes_true([&] { return dispatcher.stats().requests >= 1; }));
  const auto before = std::chrono::steady_clock::now();
  dispatcher.stop(100ms);
  CHECK(std::chrono::steady_clock::now() - before < 5s);
}

TEST_CASE("a server that is back before the next batch is connected to without a hold") {
  OutageDesk desk;
  std::vector<std::string> outcomes;
  DispatcherOptions dispatching = to_events();
  dispatching.observer = [&](const Notice& notice) {
    if (notice.kind == Notice::Kind::request) outcomes.push_back(to_string(notice.verdict.value()));
  };
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(nats_options(desk.server)), dispatching};
  enqueue_numbers(desk.app, 1);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 1; }));
  desk.server.kill(SIGKILL);
  desk.server.start();
  enqueue_numbers(desk.app, 1);
  CHECK(becomes_true([&] { return dispatcher.stats().delivered == 2; }));
  dispatcher.stop();
  CHECK(outcomes == std::vector<std::string>{"delivered", "delivered"});
}

TEST_CASE("a server that comes up an hour later gets everything, in order") {
  NatsProcess server{"", false};
  AppDatabase app;
  outbox::testing::ManualClock clock;
  enqueue_numbers(app, 300, "made", 7);
  DispatcherOptions dispatching{.destination = "events", .clock = clock.function()};
  Dispatcher dispatcher{app.path(), nats_jetstream(nats_options(server)), dispatching};
  for (int minute = 0; minute < 60; ++minute) {
    clock.advance(1min);
    dispatcher.notify();
    std::this_thread::sleep_for(1ms);  // a look or none: an hour passes either way
  }
  CHECK(becomes_true([&] { return !dispatcher.stats().hold.empty(); }));
  CHECK(app.count("state = 'pending' and refusals = 0 and solo_failures = 0") +
            app.count("state = 'waiting'") ==
        300);
  server.start();
  NatsReader{server}.make_stream("OUT", "outbox.>");
  CHECK(becomes_true([&] {
    clock.advance(1min);
    dispatcher.notify();
    return dispatcher.stats().delivered == 300;
  }));
  dispatcher.stop();
  check_each_once(NatsReader{server}.read("OUT"), 300, 7);
}

TEST_CASE("a server that is killed at random holds each event once, in the order of its key") {
  const int events = is_long ? 200'000 : 6'000;
  const int kills = is_long ? 10 : 3;
  constexpr int keys = 50;
  OutageDesk desk;
  enqueue_numbers(desk.app, events, "made", keys);
  NatsOptions options = nats_options(desk.server);
  options.ack_timeout = 60s;
  DispatcherOptions dispatching = to_events();
  dispatching.batch_events = 500;
  std::mt19937 random{20'261'128};
  Dispatcher dispatcher{desk.app.path(), nats_jetstream(options), dispatching};
  const auto delivered = [&] { return static_cast<int>(dispatcher.stats().delivered); };
  for (int kill = 0; kill < kills; ++kill) {
    const int next = delivered() + std::uniform_int_distribution{
                                       0, 2 * (events - delivered()) / (kills - kill + 1)}(random);
    CHECK(becomes_true([&] { return delivered() >= next || delivered() == events; }));
    desk.server.kill(SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds{random() % 300});  // down for a while
    desk.server.start();
  }
  const auto end = std::chrono::steady_clock::now() + (is_long ? 10min : 2min);
  while (delivered() < events && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(10ms);
  }
  dispatcher.stop();
  CHECK(delivered() == events);
  check_each_once(desk.read(), events, keys);
  std::cout << events << " events, " << kills
            << " kills: " << desk.app.number("select count(*) from outbox_requests")
            << " requests\n";
}

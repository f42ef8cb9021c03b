#pragma once

// An app whose events go to a stream, and the short times that tests need.

#include <chrono>
#include <string>

#include "outbox/nats.hpp"
#include "outbox/outbox.hpp"
#include "outbox/testing.hpp"
#include "support/database.hpp"
#include "support/eventually.hpp"
#include "support/nats_server.hpp"

namespace support {

/// Enqueues `count` events `{"n":0}`, `{"n":1}`, … of the destination "events", in one transaction.
inline void enqueue_numbers(AppDatabase& app, int count, const std::string& kind = "made",
                            int keys = 1) {
  SQLite::Transaction transaction{app.db()};
  for (int n = 0; n < count; ++n) {
    std::string key = "key-";
    key += std::to_string(n % keys);
    outbox::enqueue(app.db(), outbox::Payload{.text = "{\"n\":" + std::to_string(n) + "}"},
                    {.destination = "events", .kind = kind, .ordering_key = key});
  }
  transaction.commit();
}

inline outbox::NatsOptions nats_options(const NatsProcess& server) {
  return {.url = server.url(), .ack_timeout = std::chrono::seconds{10}};
}

inline outbox::DispatcherOptions to_events() {
  return {.destination = "events",
          .backoff_min = std::chrono::milliseconds{1},
          .backoff_max = std::chrono::milliseconds{50}};
}

/// Sends what is due; the time stands still, so that it ends where it would have to wait.
inline outbox::DeliverReport deliver(AppDatabase& app, const outbox::NatsOptions& options,
                                     const std::string& destination = "events") {
  const outbox::testing::ManualClock clock;
  outbox::DispatcherOptions dispatching = to_events();
  dispatching.destination = destination;
  dispatching.clock = clock.function();
  return outbox::deliver_once(app.path(), outbox::nats_jetstream(options), dispatching,
                              long_enough);
}

/// What was said of the last request, and whether anything is held against an event.
inline std::string last_word(AppDatabase& app) {
  const auto requests = outbox::list_requests(app.db(), "events", 1);
  if (requests.empty()) return "nothing was sent";
  const bool is_blamed = app.count("state <> 'delivered' and refusals > 0") > 0;
  return std::string{to_string(requests[0].verdict)} + ": " + requests[0].reason +
         (is_blamed ? " (blamed)" : "");
}

inline std::int64_t pending_without_blame(AppDatabase& app) {
  return app.count("state = 'pending' and refusals = 0 and solo_failures = 0");
}

}  // namespace support

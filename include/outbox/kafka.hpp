#pragma once

// Kafka as a place to send events to. A library of its own: the target `outbox::kafka`, with
// `find_package(outbox COMPONENTS kafka)`; docs/relay.md.
//
//     outbox::Dispatcher relay{"app.db", outbox::kafka({.brokers = "127.0.0.1:9092"}),
//                              {.destination = "events"}};

#include <chrono>
#include <map>
#include <string>

#include "outbox/credentials.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/export.hpp"
#include "outbox/relay.hpp"

namespace outbox {
inline namespace v1 {

/// Who the app is to the brokers (SASL PLAIN, or SCRAM by `sasl.mechanism` in the settings). A
/// default one is nobody. The password is read when the sink connects for the first time, and again
/// when the brokers have refused it.
struct KafkaCredentials {
  std::string user = {};
  SecretSource password = {};
};

struct KafkaOptions {
  /// `host:9092`; several, separated by commas. One that answers names all the others.
  std::string brokers = "127.0.0.1:9092";
  /// What an event is published to; see `route`. The names are those of Debezium's outbox router.
  /// No topic is created.
  std::string topic = "outbox.event.{destination}";
  KafkaCredentials credentials = {};
  MessageFormat format = MessageFormat::plain;
  /// The `ce_source` of CloudEvents.
  std::string source = "outbox";
  /// Until a message that no broker has taken is given up; 1 s to 10 min. Defaults to 25 s.
  std::chrono::milliseconds delivery_timeout = std::chrono::seconds{25};
  /// Settings of librdkafka by their names: `security.protocol`, `ssl.ca.location`,
  /// `compression.type`, … They win over the sink's own, except for those on which its promise
  /// rests: idempotence, acks, transactions, the brokers, the timeout, and user and password.
  std::map<std::string, std::string> settings = {};
  /// Where a connection without TLS is allowed; one with TLS always is.
  PlainText plain_text = PlainText::to_loopback;
};

/// Publishes each event as a message, with the ordering key as its key and the event id in the
/// header `id`, and waits until all replicas in sync have it. Order per ordering key is kept. A
/// repetition after a crash is a message of its own: consumers recognise it by the header.
///
/// Throws: `std::invalid_argument` when an address is none, holds a user, or is plain where that is
/// not allowed; when the topic is no name of one; when a setting is unknown, not allowed, has a bad
/// value, or does not go with idempotence; when a user has no password, or the other way round; or
/// when a time is out of its range. `std::system_error` when there is no eventfd.
///
/// Threads: the client library makes some of its own, which touch nothing of the app; signals are
/// blocked there. Fork first, and make it then: a child has none of these threads.
[[nodiscard]] OUTBOX_API Endpoint kafka(KafkaOptions options);

/// Connects as a dispatcher would, TLS and credentials included, and publishes nothing; looks at
/// the topic, unless its name depends on the event. Takes up to 10 s. Returns what is wrong; empty:
/// nothing is. Throws: as `kafka`.
[[nodiscard]] OUTBOX_API std::string connection_problem(const KafkaOptions& options);

}  // namespace v1
}  // namespace outbox

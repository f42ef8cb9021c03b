#pragma once

// NATS JetStream as a place to send events to. A library of its own: the target `outbox::nats`,
// with `find_package(outbox COMPONENTS nats)`; docs/relay.md.
//
//     outbox::Dispatcher relay{"app.db",
//                              outbox::nats_jetstream({.url = "nats://127.0.0.1:4222"}),
//                              {.destination = "events"}};

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outbox/credentials.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/export.hpp"
#include "outbox/relay.hpp"

namespace outbox {
inline namespace v1 {

/// Who the app is to the server. A default one is nobody.
struct NatsCredentials {
  enum class Kind { none, token, password, creds };
  Kind kind = Kind::none;
  std::string user = {};
  SecretSource source = {};
};

/// Secrets are read when the sink connects, and again when the server has refused them. A user, a
/// password and a token are without ", \ and control characters, which the client cannot send.
[[nodiscard]] OUTBOX_API NatsCredentials nats_token(SecretSource token);
[[nodiscard]] OUTBOX_API NatsCredentials nats_user(std::string user, SecretSource password);
/// The text of a `.creds` file (a JWT and its seed): `nats_creds(from_file("nats.creds"))`.
[[nodiscard]] OUTBOX_API NatsCredentials nats_creds(SecretSource text);

/// A stream that the sink makes when the server has none of that name. One that is there stays as
/// it is. It lies in files.
struct NatsStream {
  /// Defaults to what the sink publishes to, with `*` for what varies.
  std::vector<std::string> subjects = {};
  int replicas = 1;
  /// How long the server remembers event ids. As long as what `outbox requeue` may send again.
  std::chrono::seconds duplicate_window = std::chrono::minutes{2};
  /// How long messages stay; not below `duplicate_window`. None (default): for ever.
  std::optional<std::chrono::seconds> age_max = {};
  /// None (default): no limit. Beyond it new messages are refused and wait here.
  std::optional<std::int64_t> bytes_max = {};
  std::optional<std::int64_t> messages_max = {};
};

struct NatsOptions {
  /// `nats://host:4222` or `tls://host:4222`; several, separated by commas, are tried in their
  /// order.
  std::string url = "nats://127.0.0.1:4222";
  NatsCredentials credentials = {};
  /// What an event is published to; see `route`. An event without a kind is a "track".
  std::string subject = "outbox.{destination}.{kind}";
  /// The stream that must take the events (`Nats-Expected-Stream`); empty (default): any.
  std::string stream = {};
  /// Makes `stream` when there is none of that name. None (default): never.
  std::optional<NatsStream> create_stream = {};
  MessageFormat format = MessageFormat::plain;
  /// The `ce-source` of CloudEvents.
  std::string source = "outbox";
  /// For connecting to one server, TLS included; 1 ms to 5 min. The dispatcher waits that long. The
  /// look-up of its name has no limit but the resolver's: `stop` waits for that, too.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds{2};
  /// For the acknowledgement of one message; 1 ms to 10 min. Defaults to 30 s: after a restart the
  /// server may need many seconds for its first one.
  std::chrono::milliseconds ack_timeout = std::chrono::seconds{30};
  /// PEM files: the authorities to trust (empty: the system's), and the client's own certificate
  /// with its key, for servers that want one.
  std::string ca_file = {};
  std::string certificate_file = {};
  std::string key_file = {};
  /// Where `nats://` is allowed, which begins without TLS; `tls://` always is.
  PlainText plain_text = PlainText::to_loopback;
};

/// Publishes each event as a message with `Outbox-Event-Id` = event id and `Nats-Msg-Id` =
/// destination, ':' and event id, and waits for the stream's acknowledgement of each. Connects at
/// the first batch, and again after trouble.
///
/// Throws: `std::invalid_argument` when an address is none, holds a user, or is plain where that is
/// not allowed; when the subject has a wildcard or an empty token; when a stream is to be made and
/// has no name; when credentials have no function, or a password has no user, or a user cannot be
/// sent; or when a time is out of its range. `std::system_error` when there is no eventfd.
///
/// Threads: the client library makes some of its own, which touch nothing of the app; signals are
/// blocked there. Fork first, and make it then: a child has none of these threads.
[[nodiscard]] OUTBOX_API Endpoint nats_jetstream(NatsOptions options);

/// Connects as a dispatcher would, TLS and credentials included, looks whether the stream is there,
/// and publishes nothing. Returns what is wrong; empty: nothing is. Throws: as `nats_jetstream`.
[[nodiscard]] OUTBOX_API std::string connection_problem(const NatsOptions& options);

}  // namespace v1
}  // namespace outbox

#pragma once

// Any HTTP service as a place to send events to: a webhook, a function, a bridge to a queue.
//
//     outbox::webhook({.url = "https://hooks.example.com/events",
//                      .signing_key = outbox::from_file("/run/secrets/webhook.key")})

#include <chrono>
#include <string>
#include <vector>

#include "outbox/credentials.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/export.hpp"
#include "outbox/relay.hpp"
#include "outbox/track_api.hpp"
#include "outbox/verdict.hpp"

namespace outbox {
inline namespace v1 {

/// What a request holds. With one event a request, `DispatcherOptions::connections` says how many
/// requests are under way at once.
enum class WebhookFormat {
  json,                    ///< One event: its stored payload.
  json_array,              ///< Several: an array of the stored payloads, also of a single one.
  cloudevents_binary,      ///< One: its payload, and the attributes as `ce-…` headers.
  cloudevents_structured,  ///< One: attributes and payload in one object.
  cloudevents_batch,       ///< Several: an array of such objects.
};

/// A header whose value is a secret.
struct SecretHeader {
  std::string name = {};
  SecretSource value = {};
};

/// Any JSON object is an event here. Redirects are never followed.
struct Webhook {
  std::string url = {};
  Credentials credentials = {};
  WebhookFormat format = WebhookFormat::json;
  std::string source = "outbox";  ///< Of CloudEvents: a URI reference that names the app.
  /// Signs each request as Standard Webhooks says: "whsec_" and the key in base64. Several keys
  /// with spaces between give a signature each, while a key is replaced. Default: not signed.
  SecretSource signing_key = {};
  MessageHeaders headers = {};  ///< Sent with each request.
  std::vector<SecretHeader> secret_headers = {};
  /// For connecting, TLS included; 1 ms to 5 min. Defaults to 10 s.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds{10};
  /// For one request as a whole; 1 ms to 10 min. Defaults to 30 s.
  std::chrono::milliseconds timeout = std::chrono::seconds{30};
  std::string ca_file = {};  ///< As in `TrackApi`; so are the three below.
  std::string proxy = {};
  PlainText plain_text = PlainText::to_loopback;
  std::vector<StatusMeaning> meanings = {};
};

/// A 2xx is a yes, whatever the body says, unless that is an HTML document. Each request has a
/// `webhook-id`, which is the same at every try of the same events: the event id of one event.
///
/// Throws: as `track_api`; `std::invalid_argument` for a header that has no proper name or value,
/// or is the sink's own; and for a source that is empty or no header value.
[[nodiscard]] OUTBOX_API Endpoint webhook(Webhook options);

/// Reads the secrets and the signing key, connects as a dispatcher would, TLS included, and sends
/// nothing. Returns what is wrong; empty: nothing is. Throws: as `webhook`. Threads: any.
[[nodiscard]] OUTBOX_API std::string connection_problem(const Webhook& options);

}  // namespace v1
}  // namespace outbox

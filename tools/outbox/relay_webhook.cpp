// --to https://HOST/PATH

#include "format.hpp"
#include "outbox/webhook.hpp"
#include "relay_kinds.hpp"
#include "sending.hpp"

namespace cli {

namespace {

// Only what was named: the token in OUTBOX_TOKEN is for another endpoint.
outbox::Credentials webhook_credentials(const SendingFlags& flags) {
  const auto secret = named_secret(flags);
  if (flags.auth == "none" || !secret) return {};
  return flags.auth == "x-api-key" ? outbox::x_api_key(*secret) : outbox::bearer(*secret);
}

outbox::WebhookFormat webhook_format_of(const RelayFlags& relay) {
  using outbox::WebhookFormat;
  const bool is_plain = format_of(relay) == outbox::MessageFormat::plain;
  if (relay.sends_arrays) {
    return is_plain ? WebhookFormat::json_array : WebhookFormat::cloudevents_batch;
  }
  return is_plain ? WebhookFormat::json : WebhookFormat::cloudevents_binary;
}

outbox::Webhook webhook_options(const SendingFlags& flags) {
  const RelayFlags& relay = flags.relay;
  outbox::Webhook options{.url = relay.to,
                          .credentials = webhook_credentials(flags),
                          .format = webhook_format_of(relay),
                          .source = relay.source,
                          .ca_file = flags.ca_file,
                          .proxy = flags.proxy,
                          .plain_text = flags.plain_text()};
  if (!relay.signing_key_file.empty()) {
    options.signing_key = outbox::from_file(relay.signing_key_file);
  }
  if (!flags.request_timeout.empty()) {
    options.timeout = duration_of(flags.request_timeout);
    options.connect_timeout = connect_timeout_within(options.timeout, options.connect_timeout);
  }
  return options;
}

}  // namespace

RelayKind webhook_relay() {
  return {
      [](const SendingFlags& flags) { return outbox::webhook(webhook_options(flags)); },
      [](const SendingFlags& flags) { return outbox::connection_problem(webhook_options(flags)); }};
}

}  // namespace cli

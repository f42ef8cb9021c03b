// --to nats://HOST:PORT

#include "exit_code.hpp"
#include "format.hpp"
#include "outbox/nats.hpp"
#include "relay_kinds.hpp"
#include "sending.hpp"

namespace cli {

namespace {

// Says now what is wrong with the file.
outbox::SecretSource readable_credential(outbox::SecretSource source) {
  try {
    if (source.secret().empty()) throw std::invalid_argument{"the credential is empty"};
    return source;
  } catch (const std::exception& error) {
    throw Failure{unauthorized, std::string{error.what()} + ". Nothing was sent"};
  }
}

// Only what was named: the token in OUTBOX_TOKEN is for another endpoint.
outbox::NatsCredentials nats_credentials(const SendingFlags& flags) {
  if (!flags.relay.creds_file.empty()) {
    return outbox::nats_creds(readable_credential(outbox::from_file(flags.relay.creds_file)));
  }
  const auto named = named_secret(flags);
  if (!named) {
    if (flags.relay.user.empty()) return {};
    throw Failure{unauthorized, "--user: the password is in --token-file or --token-env"};
  }
  const outbox::SecretSource secret = readable_credential(*named);
  return flags.relay.user.empty() ? outbox::nats_token(secret)
                                  : outbox::nats_user(flags.relay.user, secret);
}

outbox::NatsOptions nats_options(const SendingFlags& flags) {
  const RelayFlags& relay = flags.relay;
  outbox::NatsOptions options{.url = relay.to,
                              .credentials = nats_credentials(flags),
                              .stream = relay.stream,
                              .format = format_of(relay),
                              .source = relay.source,
                              .ca_file = flags.ca_file,
                              .certificate_file = relay.client_certificate,
                              .key_file = relay.client_key,
                              .plain_text = flags.plain_text()};
  if (!relay.subject.empty()) options.subject = relay.subject;
  if (relay.creates_stream) options.create_stream = outbox::NatsStream{};
  if (!flags.request_timeout.empty()) {
    options.ack_timeout = duration_of(flags.request_timeout);
    options.connect_timeout = connect_timeout_within(options.ack_timeout, options.connect_timeout);
  }
  return options;
}

}  // namespace

RelayKind nats_relay() {
  return {
      [](const SendingFlags& flags) { return outbox::nats_jetstream(nats_options(flags)); },
      [](const SendingFlags& flags) { return outbox::connection_problem(nats_options(flags)); }};
}

}  // namespace cli

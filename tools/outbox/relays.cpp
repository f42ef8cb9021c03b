#include "relays.hpp"

#include "exit_code.hpp"
#include "globals.hpp"
#include "relay_kinds.hpp"
#include "sending.hpp"

namespace cli {

namespace {

struct Scheme {
  std::string_view name;
  std::string_view needs;  // what it is built with
  RelayKind kind;
};

const Scheme schemes[] = {
    {"https", "", webhook_relay()},
    {"http", "", webhook_relay()},
    {"nats", "libnats (Debian: libnats-dev) and -DOUTBOX_WITH_NATS=ON", nats_relay()},
    {"tls", "libnats (Debian: libnats-dev) and -DOUTBOX_WITH_NATS=ON", nats_relay()},
    {"kafka", "librdkafka (Debian: librdkafka-dev) and -DOUTBOX_WITH_KAFKA=ON", kafka_relay()},
};

std::string known_schemes() {
  std::string names;
  for (const Scheme& scheme : schemes) {
    names += names.empty() ? "" : ", ";
    names += scheme.name;
    names += "://";
  }
  return names;
}

const RelayKind& kind_of(const std::string& to) {
  const std::string scheme = to.substr(0, to.find("://"));
  for (const Scheme& known : schemes) {
    if (known.name != scheme) continue;
    if (known.kind.endpoint != nullptr) return known.kind;
    throw Failure{usage, "--to: this outbox was built without " + scheme + "://; it needs " +
                             std::string{known.needs}};
  }
  throw Failure{usage, "--to: must begin with one of " + known_schemes()};
}

}  // namespace

void add_relay_options(CLI::App& command, RelayFlags& flags) {
  const auto add = [&command](const char* name, std::string& value, const char* about) {
    return command.add_option(name, value, about)->check(not_empty)->group("Relays");
  };
  add("--to", flags.to,
      "Relay to another engine or a webhook instead of --url: nats://HOST:PORT, kafka://HOST:PORT, "
      "https://HOST/PATH");
  add("--format", flags.format, "plain (default), or cloudevents: with its attributes as headers")
      ->check(CLI::IsMember({"plain", "cloudevents"}));
  add("--source", flags.source, "Source that CloudEvents name (outbox)");
  add("--user", flags.user, "User, with the password in --token-file or --token-env");
  add("--creds-file", flags.creds_file, "NATS: file with the user's JWT and seed");
  add("--client-certificate", flags.client_certificate, "PEM file, for servers that want one");
  add("--client-key", flags.client_key, "PEM file with the key of that certificate");
  add("--subject", flags.subject, "NATS: what to publish to (outbox.{destination}.{kind})");
  add("--stream", flags.stream, "NATS: the stream that must take the events");
  add("--topic", flags.topic, "Kafka: what to publish to (outbox.event.{destination})");
  command
      .add_option("--kafka-setting", flags.kafka_settings,
                  "Kafka: a setting of librdkafka, NAME=VALUE: security.protocol=SASL_SSL")
      ->check(not_empty)
      ->allow_extra_args(false)
      ->group("Relays");
  add("--signing-key-file", flags.signing_key_file,
      "Webhook: file with the key (whsec_...) that signs requests, as Standard Webhooks says");
  command
      .add_flag("--array", flags.sends_arrays,
                "Webhook: several events in a request, as a JSON array; otherwise one")
      ->group("Relays");
  command
      .add_flag("--create-stream", flags.creates_stream,
                "NATS: make --stream when the server has none of that name")
      ->group("Relays");
}

outbox::Endpoint relay_of(const SendingFlags& flags) {
  return kind_of(flags.relay.to).endpoint(flags);
}

std::string relay_problem(const SendingFlags& flags) {
  return kind_of(flags.relay.to).problem(flags);
}

outbox::MessageFormat format_of(const RelayFlags& flags) {
  return flags.format == "cloudevents" ? outbox::MessageFormat::cloudevents_binary
                                       : outbox::MessageFormat::plain;
}

std::string shown_address(const std::string& to) {
  const std::size_t begin = to.find("://");
  if (begin == std::string::npos) return to;
  const std::size_t host = begin + 3;
  const std::size_t at = to.rfind('@');
  const std::string rest = to.substr(at == std::string::npos || at < host ? host : at + 1);
  return to.substr(0, host) + rest.substr(0, rest.find('?'));
}

}  // namespace cli

#include "relays.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "exit_code.hpp"
#include "format.hpp"
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

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
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
  add("--source", flags.source, "The `source` attribute of CloudEvents; default: outbox");
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

void require_fitting(const SendingFlags& flags) {
  const RelayFlags& relay = flags.relay;
  const std::string scheme = relay.to.substr(0, relay.to.find("://"));
  struct Fit {
    const char* flag;
    bool is_given;
    std::vector<std::string_view> schemes;
  };
  const std::vector<std::string_view> engines = {"nats", "tls", "kafka"};
  const std::vector<std::string_view> nats = {"nats", "tls"};
  const std::vector<std::string_view> webhook = {"https", "http"};
  const std::vector<std::string_view> all = {"https", "http", "nats", "tls", "kafka"};
  const Fit fits[] = {
      {"--format", relay.format != RelayFlags{}.format, all},
      {"--source", relay.source != RelayFlags{}.source, all},
      {"--user", !relay.user.empty(), engines},
      {"--creds-file", !relay.creds_file.empty(), nats},
      {"--client-certificate", !relay.client_certificate.empty(), engines},
      {"--client-key", !relay.client_key.empty(), engines},
      {"--subject", !relay.subject.empty(), nats},
      {"--stream", !relay.stream.empty(), nats},
      {"--create-stream", relay.creates_stream, nats},
      {"--topic", !relay.topic.empty(), {"kafka"}},
      {"--kafka-setting", !relay.kafka_settings.empty(), {"kafka"}},
      {"--signing-key-file", !relay.signing_key_file.empty(), webhook},
      {"--array", relay.sends_arrays, webhook},
  };
  for (const Fit& fit : fits) {
    if (!fit.is_given || contains(fit.schemes, scheme)) continue;
    std::string text = fit.flag;
    text += " is for --to ";
    text += fit.schemes.front();
    text += "://…";
    throw Failure{usage, text + (relay.to.empty() ? ", and there is no --to" : "")};
  }
  const char* const usual_url = std::getenv("OUTBOX_URL");
  if (!relay.to.empty() && !flags.url.empty() && (usual_url == nullptr || flags.url != usual_url)) {
    throw Failure{usage, "--url is for the Track API and --to for a relay: give one of them"};
  }
  if (!flags.token_file.empty() && !flags.token_env.empty()) {
    throw Failure{usage, "--token-file and --token-env: give one of them"};
  }
}

namespace {

// What the library calls the URL or the brokers of a relay was given as --to.
template <class Action>
auto about_to(Action action) try {
  return action();
} catch (const std::invalid_argument& error) {
  const std::string problem = without_prefix(error.what());
  for (const std::string_view name : {"url: ", "brokers: "}) {
    if (problem.starts_with(name)) throw Failure{usage, "--to: " + problem.substr(name.size())};
  }
  throw;
}

}  // namespace

outbox::Endpoint relay_of(const SendingFlags& flags) {
  return about_to([&] { return kind_of(flags.relay.to).endpoint(flags); });
}

std::string relay_problem(const SendingFlags& flags) {
  return about_to([&] { return kind_of(flags.relay.to).problem(flags); });
}

outbox::MessageFormat format_of(const RelayFlags& flags) {
  return flags.format == "cloudevents" ? outbox::MessageFormat::cloudevents_binary
                                       : outbox::MessageFormat::plain;
}

std::string shown_address(const std::string& to) {
  const std::size_t begin = to.find("://");
  if (begin == std::string::npos) return to;
  const std::size_t host = begin + 3;
  const std::string servers = to.substr(host, to.find_first_of("/?#", host) - host);
  const std::size_t at = servers.rfind('@');
  return to.substr(0, host) + (at == std::string::npos ? servers : servers.substr(at + 1));
}

}  // namespace cli

// --to kafka://HOST:PORT[,HOST:PORT…]

#include "exit_code.hpp"
#include "format.hpp"
#include "outbox/kafka.hpp"
#include "relay_kinds.hpp"
#include "sending.hpp"

namespace cli {

namespace {

// Only what was named: the token in OUTBOX_TOKEN is for another endpoint.
outbox::KafkaCredentials kafka_credentials(const SendingFlags& flags) {
  const std::string& user = flags.relay.user;
  const auto password = named_secret(flags);
  if (password.has_value() == user.empty()) {
    throw Failure{unauthorized,
                  "Kafka needs both: --user, and the password in --token-file or --token-env"};
  }
  if (!password) return {};
  return {.user = user, .password = *password};
}

std::map<std::string, std::string> kafka_settings(const SendingFlags& flags) {
  std::map<std::string, std::string> settings;
  const auto add = [&settings](const char* name, const std::string& value) {
    if (!value.empty()) settings[name] = value;
  };
  add("ssl.ca.location", flags.ca_file);
  add("ssl.certificate.location", flags.relay.client_certificate);
  add("ssl.key.location", flags.relay.client_key);
  for (const std::string& setting : flags.relay.kafka_settings) {
    const std::size_t equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    if (equals == std::string::npos) throw Failure{usage, "--kafka-setting: NAME=VALUE"};
    if (name.find("password") != std::string::npos || name.find("secret") != std::string::npos) {
      throw Failure{usage,
                    "--kafka-setting: everybody on this machine can read a command line; "
                    "give the password in --token-file"};
    }
    settings[name] = setting.substr(equals + 1);
  }
  return settings;
}

outbox::KafkaOptions kafka_options(const SendingFlags& flags) {
  const RelayFlags& relay = flags.relay;
  outbox::KafkaOptions options{.brokers = relay.to.substr(relay.to.find("://") + 3),
                               .credentials = kafka_credentials(flags),
                               .format = format_of(relay),
                               .source = relay.source,
                               .settings = kafka_settings(flags),
                               .plain_text = flags.plain_text()};
  if (!relay.topic.empty()) options.topic = relay.topic;
  if (!flags.request_timeout.empty()) {
    options.delivery_timeout = duration_of(flags.request_timeout);
  }
  return options;
}

}  // namespace

RelayKind kafka_relay() {
  return {
      [](const SendingFlags& flags) { return outbox::kafka(kafka_options(flags)); },
      [](const SendingFlags& flags) { return outbox::connection_problem(kafka_options(flags)); }};
}

}  // namespace cli

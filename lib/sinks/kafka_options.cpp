#include "sinks/kafka_options.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <set>
#include <string_view>

#include "core/encoding.hpp"
#include "sinks/address.hpp"
#include "sinks/secret_source.hpp"

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

// By default up to 10 s pass until brokers that are up again are tried.
constexpr auto reconnect_max_ms = "1000";

std::string protocol_of(const KafkaOptions& options) {
  const auto given = options.settings.find("security.protocol");
  if (given == options.settings.end()) {
    return options.credentials.password.secret ? "sasl_plaintext" : "plaintext";
  }
  return core::lower(given->second);
}

void require_broker(const std::string& address, bool may_be_anywhere) {
  require(address.find('@') == std::string::npos,
          "brokers: must not hold a user or password; give credentials");
  require(address.find("://") == std::string::npos,
          "brokers: HOST:PORT alone; security.protocol in settings says how");
  require(address.find_first_of("/?# \t") == std::string::npos, "brokers: end with the port");
  const std::string host = host_of(address);
  require(!host.empty(), "brokers: not an address: HOST:PORT, several separated by commas");
  require(may_be_anywhere || is_loopback(host),
          "brokers: without TLS only on loopback, since it shows everything to the network; set "
          "security.protocol to SSL or SASL_SSL in settings, or allow it by plain_text "
          "(--allow-plain-http)");
}

void require_brokers(const KafkaOptions& options) {
  const std::string protocol = protocol_of(options);
  const bool is_tls = protocol == "ssl" || protocol == "sasl_ssl";
  for (std::size_t at = 0; at <= options.brokers.size();) {
    const std::size_t comma = std::min(options.brokers.find(',', at), options.brokers.size());
    require_broker(options.brokers.substr(at, comma - at),
                   is_tls || options.plain_text == PlainText::to_anyone);
    at = comma + 1;
  }
}

// What org.apache.kafka.common.internals.Topic takes: 249 of these characters.
void require_topic_pattern(const std::string& topic) {
  const std::string sample = route(topic, "d", "k");
  const bool is_clean = std::all_of(sample.begin(), sample.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  require(is_clean,
          "topic: letters, digits, '.', '_' and '-', and no names but {destination} and {kind}");
  require(!sample.empty() && sample.size() <= 249 && sample != "." && sample != "..",
          "topic: must have 1 to 249 characters, and not be . or ..");
}

// On these rests what the sink promises, or the house's rule for secrets.
void require_settings(const KafkaOptions& options) {
  static const std::set<std::string_view> own = {"acks",
                                                 "bootstrap.servers",
                                                 "delivery.report.only.error",
                                                 "delivery.timeout.ms",
                                                 "enable.idempotence",
                                                 "message.timeout.ms",
                                                 "metadata.broker.list",
                                                 "request.required.acks",
                                                 "sasl.password",
                                                 "sasl.username",
                                                 "transactional.id"};
  for (const auto& [name, value] : options.settings) {
    if (!own.contains(name)) continue;
    std::string what = "settings: ";
    what += name;
    what += ": the sink sets it by itself, from brokers, credentials and delivery_timeout";
    refuse(what);
  }
}

// What rd_kafka_new (librdkafka 2.0) asks of an idempotent producer's settings.
struct Range {
  std::string_view name;
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
};
constexpr Range ranges_with_idempotence[] = {
    {.name = "max.in.flight", .max = 5},
    {.name = "max.in.flight.requests.per.connection", .max = 5},
    {.name = "message.send.max.retries", .min = 1},
    {.name = "queue.buffering.backpressure.threshold", .max = 1},
    {.name = "retries", .min = 1}};

double number_of(const std::string& value) {
  return std::strtod(value.c_str(), nullptr);
}

// Why the value does not go with what the sink sets by itself; empty: it does.
std::string clash_of(const std::string& name, const std::string& value,
                     const KafkaOptions& options) {
  const double number = number_of(value);
  for (const Range& range : ranges_with_idempotence) {
    if (name == range.name && (number < range.min || number > range.max)) {
      return "the producer is idempotent, and does not take this value";
    }
  }
  if (name == "queuing.strategy" && core::lower(value) != "fifo") {
    return "the producer is idempotent, and takes only fifo";
  }
  if ((name == "linger.ms" || name == "queue.buffering.max.ms") &&
      number >= static_cast<double>(options.delivery_timeout.count())) {
    return "must be less than delivery_timeout";
  }
  if (name == "reconnect.backoff.ms") {
    const auto max = options.settings.find("reconnect.backoff.max.ms");
    if (number > number_of(max == options.settings.end() ? reconnect_max_ms : max->second)) {
      return "must not be above reconnect.backoff.max.ms, which the sink sets to 1000";
    }
  }
  return {};
}

}  // namespace

void require_agreement(const KafkaOptions& options) {
  for (const auto& [name, value] : options.settings) {
    const std::string clash = clash_of(name, value, options);
    if (clash.empty()) continue;
    std::string what = "settings: ";
    what += name;
    what += ": ";
    what += clash;
    refuse(what);
  }
}

void require_fit(const KafkaOptions& options) {
  require_settings(options);
  require_brokers(options);
  require_topic_pattern(options.topic);
  require(options.delivery_timeout >= std::chrono::seconds{1} &&
              options.delivery_timeout <= std::chrono::minutes{10},
          "delivery_timeout: must be 1 s to 10 min");
  require(!options.credentials.password.secret || !options.credentials.user.empty(),
          "credentials: a password needs its user");
  require(options.credentials.user.empty() || options.credentials.password.secret,
          "credentials: a user needs its password");
  require(options.format == MessageFormat::plain || !options.source.empty(),
          "source: CloudEvents need one");
}

std::vector<std::pair<std::string, std::string>> settings_of(const KafkaOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings = {
      {"client.id", "outbox"},
      {"security.protocol", protocol_of(options)},
      // A batch is handed over as a whole: there is nothing to wait for. Nagle's algorithm made
      // batches that are waited for 6 to 20 times slower on loopback.
      {"linger.ms", "0"},
      {"socket.nagle.disable", "true"},
      {"reconnect.backoff.max.ms", reconnect_max_ms},
      {"topic.metadata.propagation.max.ms", "5000"},
      {"allow.auto.create.topics", "false"},
      {"partitioner", "murmur2_random"},  // that of Java's producers: keys are where they expect
  };
  if (options.credentials.password.secret) settings.emplace_back("sasl.mechanism", "PLAIN");
  for (const auto& [name, value] : options.settings) {
    if (name != "security.protocol") settings.emplace_back(name, value);
  }
  settings.emplace_back("bootstrap.servers", options.brokers);
  settings.emplace_back("enable.idempotence", "true");
  settings.emplace_back("acks", "all");
  settings.emplace_back("message.timeout.ms", std::to_string(options.delivery_timeout.count()));
  if (options.credentials.password.secret) {
    settings.emplace_back("sasl.username", options.credentials.user);
  }
  return settings;
}

}  // namespace outbox::sinks

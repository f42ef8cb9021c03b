#include "sending.hpp"

#include <cstdlib>

#include "confirm.hpp"
#include "destination.hpp"
#include "format.hpp"

namespace cli {

namespace {

outbox::Credentials given_credentials(const SendingFlags& flags) {
  std::optional<outbox::SecretSource> token = named_secret(flags);
  if (!token && std::getenv("OUTBOX_TOKEN") != nullptr) token = outbox::from_env("OUTBOX_TOKEN");
  if (token) return flags.auth == "x-api-key" ? outbox::x_api_key(*token) : outbox::bearer(*token);
  throw Failure{unauthorized,
                "no token: give --token-file FILE or set OUTBOX_TOKEN; --auth none sends without "
                "credentials. Nothing was sent"};
}

constexpr auto forever = "forever";

std::optional<std::chrono::milliseconds> kept_time(const SendingFlags& flags) {
  if (flags.keep_delivered == forever) return std::nullopt;
  if (flags.keep_delivered.empty()) return outbox::DispatcherOptions{}.keep_delivered;
  return duration_of(flags.keep_delivered);
}

}  // namespace

std::optional<outbox::SecretSource> named_secret(const SendingFlags& flags) {
  if (!flags.token_file.empty()) return outbox::from_file(flags.token_file);
  if (!flags.token_env.empty()) return outbox::from_env(flags.token_env.c_str());
  return std::nullopt;
}

outbox::Credentials credentials_of(const SendingFlags& flags) {
  if (flags.auth == "none") {
    if (named_secret(flags)) {
      throw Failure{usage, "--auth none and --token-file or --token-env: give one of them"};
    }
    return {};
  }
  try {
    outbox::Credentials credentials = given_credentials(flags);
    // Says now what is wrong with it: one that is given as text is looked at when it is made.
    const std::string secret = credentials.source.secret();
    static_cast<void>(flags.auth == "x-api-key" ? outbox::x_api_key(secret)
                                                : outbox::bearer(secret));
    return credentials;
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    const std::string where = !flags.token_file.empty()  ? "--token-file: "
                              : !flags.token_env.empty() ? "--token-env: "
                                                         : "OUTBOX_TOKEN: ";
    throw Failure{unauthorized, where + without_prefix(error.what()) + ". Nothing was sent"};
  }
}

void add_endpoint_options(CLI::App& command, SendingFlags& flags) {
  const auto add = [&command](const char* name, auto& value, const char* about) {
    return command.add_option(name, value, about)->check(not_empty);
  };
  add("--url", flags.url, "Endpoint; default: the Track API's")->envname("OUTBOX_URL");
  add("--token-file", flags.token_file,
      "File with the token (or set OUTBOX_TOKEN); read again when it changes");
  add("--token-env", flags.token_env, "Read the token from this variable instead of OUTBOX_TOKEN");
  add("--auth", flags.auth, "bearer (default), x-api-key, or none: send without credentials")
      ->check(CLI::IsMember({"bearer", "x-api-key", "none"}));
  add("--request-timeout", flags.request_timeout, "For one request: 500ms, 30s (default), 5m")
      ->check(a_duration);
  add("--ca-file", flags.ca_file, "PEM file of the authorities to trust")->check(CLI::ExistingFile);
  add("--proxy", flags.proxy, "URL of a proxy, or none");
  command.add_flag("--allow-plain-http", flags.allows_plain_http,
                   "Allow http://, nats:// and Kafka without TLS beyond loopback: shows the "
                   "token to the network");
  add_relay_options(command, flags.relay);
}

void add_sending_options(CLI::App& command, SendingFlags& flags) {
  add_endpoint_options(command, flags);
  const auto add = [&command](const char* name, auto& value, const char* about) {
    return command.add_option(name, value, about)->check(not_empty);
  };
  add("--batch-events", flags.batch_events, "Most events in a request (100)");
  add("--batch-bytes", flags.batch_bytes, "Most bytes in a request (1900000)");
  add("--connections", flags.connections, "Requests under way at once (1)");
  command
      .add_option("--requests-per-second", flags.requests_per_second,
                  "Most requests in a second (no limit)")
      ->check(CLI::Range(0.001, 100'000.0));
  add("--give-up-after", flags.give_up_after,
      "Events pending for longer die as expired: 30s, 5m, 2h, 7d (never)")
      ->check(a_duration);
  add("--keep-delivered", flags.keep_delivered,
      "Remove events this long after they were delivered: 12h, 30d, 0s, or forever; default: 7d")
      ->check([](const std::string& value) {
        if (value == forever) return std::string{};
        const std::string problem = a_duration(value);
        return problem.empty() ? problem : problem + "; forever keeps all";
      });
  command.add_flag("--yes-send-copy", flags.sends_copy,
                   "Send although the database is a copy or was restored");
  add_new_flag(command, flags.is_new);
}

outbox::TrackApi track_api_of(const SendingFlags& flags) {
  outbox::TrackApi api{
      .ca_file = flags.ca_file, .proxy = flags.proxy, .plain_text = flags.plain_text()};
  if (!flags.url.empty()) api.url = flags.url;
  if (!flags.request_timeout.empty()) {
    api.timeout = duration_of(flags.request_timeout);
    api.connect_timeout = connect_timeout_within(api.timeout, api.connect_timeout);
  }
  return api;
}

outbox::Endpoint endpoint_of(const SendingFlags& flags) {
  require_fitting(flags);
  if (!flags.relay.to.empty()) return relay_of(flags);
  outbox::TrackApi api = track_api_of(flags);
  api.credentials = credentials_of(flags);
  return outbox::track_api(std::move(api));
}

outbox::DispatcherOptions dispatcher_options_of(const SendingFlags& flags,
                                                const outbox::DestinationStatus& destination) {
  return {.destination = destination.name,
          .batch_events = flags.batch_events,
          .batch_bytes = flags.batch_bytes,
          .connections = flags.connections,
          .requests_per_second_max = flags.requests_per_second == 0
                                         ? std::nullopt
                                         : std::optional{flags.requests_per_second},
          .give_up_after = flags.give_up_after.empty()
                               ? std::nullopt
                               : std::optional{duration_of(flags.give_up_after)},
          .blocks_on_dead = destination.blocks_on_dead,  // it is the app's decision
          .keep_delivered = kept_time(flags),
          // One that is put in place meanwhile is nobody's decision.
          .pauses_foreign_database = !flags.sends_copy};
}

void require_not_foreign(SQLite::Database& db, const outbox::DestinationStatus& destination,
                         const SendingFlags& flags) {
  if (!destination.is_foreign || flags.sends_copy) return;
  const std::string what = "this database is a copy or was restored, and " +
                           events_text(status_of(db, destination.name).counts.pending) + " of " +
                           destination.name + " may have been delivered already";
  if (!can_ask()) throw Failure{usage, what + ": give --yes-send-copy to send them"};
  ask(what + ". Send them?");
}

}  // namespace cli

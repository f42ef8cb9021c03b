#include "sending.hpp"

#include <cstdlib>
#include <iostream>

#include "format.hpp"

namespace cli {

namespace {

// An empty value is a shell variable that was not set, and the default would be the real API.
std::string not_empty(const std::string& value) {
  return value.empty() ? "is empty" : "";
}

outbox::Credentials credentials_of(const SendingFlags& flags) {
  const bool is_key = flags.auth == "x-api-key";
  if (!flags.token_file.empty()) {
    return is_key ? outbox::x_api_key_from_file(flags.token_file)
                  : outbox::bearer_from_file(flags.token_file);
  }
  if (std::getenv("OUTBOX_TOKEN") != nullptr) {
    return is_key ? outbox::x_api_key_from_env("OUTBOX_TOKEN")
                  : outbox::bearer_from_env("OUTBOX_TOKEN");
  }
  std::cerr << "! no token: sends without credentials (give --token-file, or set OUTBOX_TOKEN)\n";
  return {};
}

}  // namespace

void add_sending_options(CLI::App& command, SendingFlags& flags) {
  command.add_option("--url", flags.url, "Endpoint; default: the Track API's")
      ->envname("OUTBOX_URL")
      ->check(not_empty);
  command
      .add_option("--token-file", flags.token_file,
                  "File with the token (or set OUTBOX_TOKEN); read again when it changes")
      ->check(not_empty);
  command.add_option("--auth", flags.auth, "bearer (default) or x-api-key")
      ->check(CLI::IsMember({"bearer", "x-api-key"}));
  command.add_option("--batch-events", flags.batch_events, "Most events in a request (100)");
  command.add_option("--batch-bytes", flags.batch_bytes, "Most bytes in a request (1900000)");
  command.add_option("--connections", flags.connections, "Requests under way at once (1)");
  command.add_option("--give-up-after", flags.give_up_after,
                     "Events pending for longer die as expired: 30s, 5m, 2h, 7d (never)");
  command.add_option("--ca-file", flags.ca_file, "PEM file of the authorities to trust");
  command.add_option("--proxy", flags.proxy, "URL of a proxy, or none");
  command.add_flag("--allow-plain-http", flags.allows_plain_http,
                   "Allow http:// beyond loopback: shows the token to the network");
}

outbox::Endpoint endpoint_of(const SendingFlags& flags) {
  outbox::TrackApi api{.credentials = credentials_of(flags),
                       .ca_file = flags.ca_file,
                       .proxy = flags.proxy,
                       .plain_http = flags.allows_plain_http ? outbox::PlainHttp::to_anyone
                                                             : outbox::PlainHttp::to_loopback};
  if (!flags.url.empty()) api.url = flags.url;
  return outbox::track_api(std::move(api));
}

outbox::DispatcherOptions dispatcher_options_of(const SendingFlags& flags, const Globals& globals) {
  return {.destination = globals.destination_to_send(),
          .batch_events = flags.batch_events,
          .batch_bytes = flags.batch_bytes,
          .connections = flags.connections,
          .give_up_after = flags.give_up_after.empty() ? std::chrono::milliseconds{0}
                                                       : duration_of(flags.give_up_after)};
}

}  // namespace cli

#pragma once

// The options of the commands that send, the endpoint they make, and what must be right before the
// first request.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "globals.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/inspect.hpp"
#include "outbox/track_api.hpp"
#include "relays.hpp"

namespace cli {

struct SendingFlags {
  std::string url;
  RelayFlags relay = {};
  std::string token_file;
  std::string token_env;
  std::string auth = "bearer";
  std::size_t batch_events = outbox::DispatcherOptions{}.batch_events;
  std::size_t batch_bytes = outbox::DispatcherOptions{}.batch_bytes;
  std::size_t connections = outbox::DispatcherOptions{}.connections;
  std::string ca_file;
  std::string proxy;
  bool allows_plain_http = false;
  double requests_per_second = 0;    // 0: no limit
  std::string give_up_after = "";    // empty: never
  std::string keep_delivered = "";   // empty: the library's; "forever": no limit
  std::string request_timeout = "";  // empty: the library's
  bool is_new = false;
  bool sends_copy = false;

  outbox::PlainText plain_text() const {
    return allows_plain_http ? outbox::PlainText::to_anyone : outbox::PlainText::to_loopback;
  }
};

void add_sending_options(CLI::App& command, SendingFlags& flags);
/// Those of them that say where to and how, for `doctor`.
void add_endpoint_options(CLI::App& command, SendingFlags& flags);

/// What `--token-file` or `--token-env` names, if one of them was given: a token, or the password
/// of `--user`.
std::optional<outbox::SecretSource> named_secret(const SendingFlags& flags);

/// The token is read from `--token-file` or OUTBOX_TOKEN, never from the arguments, which every
/// user of the machine can see. Throws: `Failure` without a token, unless `--auth none`.
outbox::Credentials credentials_of(const SendingFlags& flags);
/// The endpoint without its credentials. Throws: `Failure`.
outbox::TrackApi track_api_of(const SendingFlags& flags);
/// `usual`, or what `--request-timeout` leaves for it. One of 0 is refused as what it is.
inline std::chrono::milliseconds connect_timeout_within(std::chrono::milliseconds request_timeout,
                                                        std::chrono::milliseconds usual) {
  return std::min(usual, std::max(request_timeout, std::chrono::milliseconds{1}));
}
/// The relay that `--to` names, or the Track API with its credentials. Throws: as both and as
/// `relay_of`; `std::invalid_argument`.
outbox::Endpoint endpoint_of(const SendingFlags& flags);
/// What only the app knows of `destination` stays as the database remembers it.
outbox::DispatcherOptions dispatcher_options_of(const SendingFlags& flags,
                                                const outbox::DestinationStatus& destination);

/// Events of a copied or restored database are sent only when a person says so: a test system must
/// not send the real ones. Throws: `Failure` when nobody does.
void require_not_foreign(SQLite::Database& db, const outbox::DestinationStatus& destination,
                         const SendingFlags& flags);

}  // namespace cli

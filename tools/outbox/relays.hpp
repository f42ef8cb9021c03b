#pragma once

// Where `--to` leads: engines and services other than the Track API, one line a scheme.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "outbox/endpoint.hpp"
#include "outbox/relay.hpp"

namespace cli {

struct SendingFlags;

/// What the relays need beyond the options of all endpoints. What one of them does not know it
/// leaves alone.
struct RelayFlags {
  std::string to;  // empty: no relay
  std::string format = "plain";
  std::string source = "outbox";
  std::string user;
  std::string creds_file;
  std::string client_certificate, client_key;
  std::string subject, stream;
  bool creates_stream = false;
  std::string signing_key_file;
  bool sends_arrays = false;
  std::string topic;
  std::vector<std::string> kafka_settings;  // NAME=VALUE
};

void add_relay_options(CLI::App& command, RelayFlags& flags);

/// Throws: `Failure` when an option is given that the endpoint of `flags` does not know: it would
/// send elsewhere, or otherwise, than its author meant.
void require_fitting(const SendingFlags& flags);

/// The endpoint that `flags.relay.to` names. Throws: `Failure` for a scheme that is unknown or was
/// not built in; what the relay's own function throws.
outbox::Endpoint relay_of(const SendingFlags& flags);

/// Connects as the relay would, and sends nothing. Returns what is wrong; empty: nothing is.
/// Throws: as `relay_of`.
std::string relay_problem(const SendingFlags& flags);

outbox::MessageFormat format_of(const RelayFlags& flags);

/// `to` without a user, a password, a path or a query: each may be a secret.
std::string shown_address(const std::string& to);

}  // namespace cli

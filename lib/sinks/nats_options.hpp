#pragma once

// The options of the NATS sink: what is asked of them, and what is made of them.

#include <string>
#include <vector>

#include "outbox/nats.hpp"

namespace outbox::sinks {

struct NatsServer {
  std::string url;
  std::string host;
  std::string port;
  bool is_tls = false;
};

/// The servers of `options.url`, in their order. Throws: as `nats_jetstream`.
std::vector<NatsServer> require_servers(const NatsOptions& options);

/// Throws: `std::invalid_argument` when something else than the address is wrong.
void require_fit(const NatsOptions& options);

/// What `options.create_stream` listens to by default: the subject, with `*` for what varies.
std::string subject_filter(const std::string& subject);

/// A secret as it is needed for connecting.
struct NatsSecret {
  std::string user = {};
  std::string password = {};  // or token
  std::string jwt = {};
  std::string seed = {};
};

/// Throws: `CredentialProblem`, whatever a callback throws, and without words of it.
NatsSecret nats_secret(const NatsCredentials& credentials);

}  // namespace outbox::sinks

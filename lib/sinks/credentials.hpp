#pragma once

// From a secret to a header line.

#include <optional>
#include <string>

#include "outbox/credentials.hpp"
#include "sinks/secret_source.hpp"

namespace outbox::sinks {

struct CredentialHeader {
  std::string line;
  std::string secret;  // for keeping it out of what the endpoint quotes
};

/// The header line that carries the secret of `credentials`; none: there are no credentials.
/// Throws: `CredentialProblem` when the secret cannot be had or may not stand in a header, whatever
/// a callback throws.
std::optional<CredentialHeader> header_of(const Credentials& credentials);

}  // namespace outbox::sinks

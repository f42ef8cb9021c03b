#pragma once

// From a secret to a header line.

#include <optional>
#include <stdexcept>
#include <string>

#include "outbox/credentials.hpp"

namespace outbox::sinks {

/// Why a secret cannot be sent. The text never holds the secret.
class CredentialProblem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct CredentialHeader {
  std::string line;
  std::string secret;  // for keeping it out of what the endpoint quotes
};

/// The header line that carries the secret of `credentials`; none: there are no credentials.
/// Throws: `CredentialProblem` when the secret cannot be had or may not stand in a header, whatever
/// a callback throws.
std::optional<CredentialHeader> header_of(const Credentials& credentials);

/// Tells `credentials` that their secret was refused or could not be had.
void note_refusal(const Credentials& credentials) noexcept;
/// Whether there is another secret than the refused one.
bool is_renewed(const Credentials& credentials) noexcept;

}  // namespace outbox::sinks

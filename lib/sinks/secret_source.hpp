#pragma once

// Reading a secret. Header only, since relays are libraries of their own, and the main one exports
// none of its own functions.

#include <stdexcept>
#include <string>

#include "outbox/credentials.hpp"

namespace outbox::sinks {

/// Why a secret cannot be sent. The text never holds the secret.
class CredentialProblem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws: `CredentialProblem`, whatever a callback throws: its text may quote anything, the secret
/// too.
inline std::string secret_of(const SecretSource& source) {
  try {
    return source.secret();
  } catch (const CredentialProblem&) {
    throw;
  } catch (...) {
    throw CredentialProblem{"the credential callback failed"};
  }
}

/// Tells `source` that its secret was refused or could not be had.
inline void note_refusal(const SecretSource& source) noexcept {
  try {
    if (source.refused) source.refused();
  } catch (...) {  // a host's own function: what it has to say is its own business
  }
}

/// Whether there is another secret than the refused one.
inline bool is_renewed(const SecretSource& source) noexcept {
  try {
    return source.is_renewed && source.is_renewed();
  } catch (...) {
    return false;
  }
}

}  // namespace outbox::sinks

#pragma once

// Who the app is to the endpoint. The Track API has taken a bearer token and, later, a static key
// in an `x-api-key` header; each can be given as text, in a file, in the environment, or by a
// callback.
//
// Secrets are never logged, stored in the database, or part of an error text.

#include <functional>
#include <string>

#include "outbox/export.hpp"

namespace outbox {
inline namespace v0 {

/// Which header carries the secret.
enum class AuthScheme {
  bearer,     ///< `Authorization: Bearer …`
  x_api_key,  ///< `x-api-key: …`
};

/// A scheme and a way to get the secret. A default one has none, and sends nothing.
struct Credentials {
  AuthScheme scheme = AuthScheme::bearer;
  /// Called before each request, on the thread that delivers; may throw, which counts as refused
  /// credentials (the destination waits; events are untouched).
  std::function<std::string()> secret = {};
};

/// A constant token. Throws: `std::invalid_argument` when it is empty or holds characters that a
/// header may not (RFC 6750, 2.1).
OUTBOX_API Credentials bearer(std::string token);
/// The token in a file, white space around it ignored; read again when the file changes. A missing
/// or unreadable file is no error here: the destination waits until it is there. At most 8 KiB.
OUTBOX_API Credentials bearer_from_file(std::string path);
/// The token in an environment variable, read once, now.
/// Throws: `std::invalid_argument` when it is not set, or as `bearer`.
OUTBOX_API Credentials bearer_from_env(const char* variable);
/// The token from a callback, e.g. one that asks a token endpoint and caches the answer.
/// Threads: called on the thread that delivers.
OUTBOX_API Credentials bearer_from(std::function<std::string()> callback);

/// The same four for the `x-api-key` header: a key is visible ASCII.
OUTBOX_API Credentials x_api_key(std::string key);
OUTBOX_API Credentials x_api_key_from_file(std::string path);
OUTBOX_API Credentials x_api_key_from_env(const char* variable);
OUTBOX_API Credentials x_api_key_from(std::function<std::string()> callback);

}  // namespace v0
}  // namespace outbox

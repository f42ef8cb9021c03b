#pragma once

// Who the app is to the endpoint. The Track API has taken a bearer token and, later, a static key
// in an `x-api-key` header; each can be given as text, in a file, in the environment, or by a
// callback.
//
//     outbox::bearer(outbox::from_file("thrivestack.token"))
//
// Secrets are never logged, stored in the database, or part of an error text.

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

/// Which header carries the secret.
enum class AuthScheme {
  bearer,     ///< `Authorization: Bearer …`
  x_api_key,  ///< `x-api-key: …`
};

/// Where a secret comes from.
struct SecretSource {
  /// Called before each request, on the thread that delivers; may throw, which counts as refused
  /// credentials (the destination waits; events are untouched).
  std::function<std::string()> secret = {};
  /// Told when the endpoint refused the secret (401, 403, 407) or `secret` threw, so that the next
  /// call of `secret` reads it again: the first time at once, then after longer and longer waits.
  /// May be empty.
  std::function<void()> refused = {};
  /// Whether there is another secret than the refused one; true ends the wait. Asked several times
  /// a second while the destination waits for it, so it must be cheap. May be empty.
  std::function<bool()> is_renewed = {};
  bool is_constant = false;  ///< `secret` always returns the same: it is checked at once.
};

/// A secret that expires.
struct ShortLived {
  std::string secret = {};
  std::chrono::seconds lifetime{0};  ///< From now. It is replaced when a tenth of it is left.
};

/// The secret in a file, white space around it ignored; read again when the file changes, and when
/// the endpoint refuses it. A missing or unreadable file is no error here: the destination waits
/// until it is there. At most 64 KiB, a token 8. Throws: `std::invalid_argument`: an empty path.
[[nodiscard]] OUTBOX_API SecretSource from_file(std::string path);
/// The secret in an environment variable, white space around it ignored; read once, now.
/// Throws: `std::invalid_argument` when it is not set, or `variable` is null.
[[nodiscard]] OUTBOX_API SecretSource from_env(const char* variable);
/// The secret from a callback, e.g. one that asks a token endpoint and caches the answer.
/// Throws: `std::invalid_argument` for an empty function, which would mean "no secret".
/// Threads: called on the thread that delivers, which waits for it, and `Dispatcher::stop` too: it
/// must end within seconds.
[[nodiscard]] OUTBOX_API SecretSource from_callback(std::function<std::string()> callback);
/// The same for a callback that makes secrets with a lifetime: asked when there is none, when a
/// tenth of the lifetime is left, and when the endpoint refuses it; not before each request. While
/// it throws or gives none, a secret whose lifetime has not ended is used on, and it is asked again
/// each 10 s. Throws and threads: as `from_callback`.
[[nodiscard]] OUTBOX_API SecretSource from_short_lived(std::function<ShortLived()> callback);

/// A scheme and a source. A default one has none, and sends nothing.
struct Credentials {
  AuthScheme scheme = AuthScheme::bearer;
  SecretSource source = {};
};

/// A token, as text or from a source. Throws: `std::invalid_argument` when a constant one is empty
/// or holds characters that a header may not (RFC 6750, 2.1), and when a source has no `secret`.
[[nodiscard]] OUTBOX_API Credentials bearer(std::string token);
[[nodiscard]] OUTBOX_API Credentials bearer(SecretSource source);
/// The same for the `x-api-key` header: a key is visible ASCII.
[[nodiscard]] OUTBOX_API Credentials x_api_key(std::string key);
[[nodiscard]] OUTBOX_API Credentials x_api_key(SecretSource source);

/// `bearer(from_file(path))`, which most apps use.
[[nodiscard]] inline Credentials bearer_from_file(std::string path) {
  return bearer(from_file(std::move(path)));
}

}  // namespace v1
}  // namespace outbox

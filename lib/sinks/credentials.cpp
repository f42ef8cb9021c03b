#include "sinks/credentials.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/text.hpp"

namespace outbox {

namespace sinks {

namespace {

constexpr std::size_t secret_bytes_max = 8 * 1024;  // the usual limit of servers for a header

// RFC 6750, 2.1: b64token.
bool is_bearer_token(const std::string& token) {
  const std::size_t end = token.find_last_not_of('=');
  if (end == std::string::npos) return false;
  return std::all_of(
      token.begin(), token.begin() + static_cast<std::ptrdiff_t>(end) + 1, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{"-._~+/"}.find(c) != std::string_view::npos;
      });
}

bool is_key(const std::string& key) {
  return !key.empty() &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

// Why the secret may not be sent; empty: it may. CR and LF would let it write further headers.
std::string problem_of(AuthScheme scheme, const std::string& secret) {
  if (secret.empty()) return "is empty";
  if (secret.size() > secret_bytes_max) return "is longer than 8 KiB";
  const bool is_fit = scheme == AuthScheme::bearer ? is_bearer_token(secret) : is_key(secret);
  return is_fit ? "" : "holds characters that a header may not";
}

// A file that is read again when its identity, size or time of change differ.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_{std::move(path)} {}

  std::string secret() {
    // O_NONBLOCK: a FIFO at that path must not hang the dispatcher.
    const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) throw CredentialProblem{"the token file cannot be opened"};
    const auto closed = std::unique_ptr<const int, void (*)(const int*)>{
        &file, [](const int* descriptor) { close(*descriptor); }};
    struct stat now {};
    if (fstat(file, &now) != 0 || !S_ISREG(now.st_mode)) {
      throw CredentialProblem{"the token file is no regular file"};
    }
    if (!secret_.empty() && is_same(now)) return secret_;
    secret_ = read_all(file);
    seen_ = now;
    return secret_;
  }

 private:
  bool is_same(const struct stat& now) const {
    return now.st_dev == seen_.st_dev && now.st_ino == seen_.st_ino &&
           now.st_size == seen_.st_size && now.st_ctim.tv_sec == seen_.st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == seen_.st_ctim.tv_nsec;
  }

  static std::string read_all(int file) {
    std::array<char, secret_bytes_max + 3> buffer{};  // room to notice that there is more
    std::size_t length = 0;
    while (length < buffer.size()) {
      const ssize_t got = read(file, buffer.data() + length, buffer.size() - length);
      if (got < 0) throw CredentialProblem{"the token file cannot be read"};
      if (got == 0) break;
      length += static_cast<std::size_t>(got);
    }
    return std::string{core::trimmed({buffer.data(), length})};
  }

  std::string path_;
  std::string secret_;
  struct stat seen_ {};
};

Credentials constant(AuthScheme scheme, std::string secret) {
  const std::string problem = problem_of(scheme, secret);
  if (!problem.empty()) throw std::invalid_argument{"outbox: the token " + problem};
  return {.scheme = scheme, .secret = [secret = std::move(secret)] { return secret; }};
}

Credentials from_file(AuthScheme scheme, std::string path) {
  // shared_ptr: std::function wants to be copyable, and the copies are one file.
  auto file = std::make_shared<SecretFile>(std::move(path));
  return {.scheme = scheme, .secret = [file] { return file->secret(); }};
}

Credentials from_env(AuthScheme scheme, const char* variable) {
  const char* const secret = std::getenv(variable);
  if (secret == nullptr) {
    throw std::invalid_argument{std::string{"outbox: the environment has no "} + variable};
  }
  return constant(scheme, std::string{core::trimmed(secret)});
}

// A callback's own error text may quote anything, the token too: it goes no further.
std::string secret_of(const Credentials& credentials) {
  try {
    return credentials.secret();
  } catch (const CredentialProblem&) {
    throw;
  } catch (...) {
    throw CredentialProblem{"the token callback failed"};
  }
}

}  // namespace

std::optional<CredentialHeader> header_of(const Credentials& credentials) {
  if (!credentials.secret) return std::nullopt;
  const std::string secret = secret_of(credentials);
  const std::string problem = problem_of(credentials.scheme, secret);
  if (!problem.empty()) throw CredentialProblem{"the token " + problem};
  const char* const name =
      credentials.scheme == AuthScheme::bearer ? "Authorization: Bearer " : "x-api-key: ";
  return CredentialHeader{.line = name + secret, .secret = secret};
}

}  // namespace sinks

inline namespace v0 {

Credentials bearer(std::string token) {
  return sinks::constant(AuthScheme::bearer, std::move(token));
}
Credentials bearer_from_file(std::string path) {
  return sinks::from_file(AuthScheme::bearer, std::move(path));
}
Credentials bearer_from_env(const char* variable) {
  return sinks::from_env(AuthScheme::bearer, variable);
}
Credentials bearer_from(std::function<std::string()> callback) {
  return {.scheme = AuthScheme::bearer, .secret = std::move(callback)};
}
Credentials x_api_key(std::string key) {
  return sinks::constant(AuthScheme::x_api_key, std::move(key));
}
Credentials x_api_key_from_file(std::string path) {
  return sinks::from_file(AuthScheme::x_api_key, std::move(path));
}
Credentials x_api_key_from_env(const char* variable) {
  return sinks::from_env(AuthScheme::x_api_key, variable);
}
Credentials x_api_key_from(std::function<std::string()> callback) {
  return {.scheme = AuthScheme::x_api_key, .secret = std::move(callback)};
}

}  // namespace v0
}  // namespace outbox

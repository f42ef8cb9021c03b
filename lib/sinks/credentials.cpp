#include "sinks/credentials.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/event/text.hpp"
#include "sinks/short_lived_secret.hpp"

namespace outbox {

namespace sinks {

namespace {

constexpr std::size_t secret_bytes_max = 8 * 1024;  // the usual limit of servers for a header
constexpr std::size_t file_bytes_max = 64 * 1024;   // credentials of NATS list all permissions

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

// A file that is read again when its identity, size or time of change differ, and after a refusal.
// Several endpoints may share it, each with a thread of its own.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_{std::move(path)} {}

  std::string secret() {
    const std::scoped_lock lock{mutex_};
    const struct stat now = facts();
    if (!secret_.empty() && is_same(now, *seen_)) return secret_;
    seen_ = now;  // as it was before reading: a change meanwhile is seen as one
    secret_.clear();
    secret_ = read();
    return secret_;
  }

  void forget() {
    const std::scoped_lock lock{mutex_};
    // Nobody has read it since the last refusal, or ever: then it was another secret that was
    // refused, and the file is no news.
    refused_ = secret_.empty() ? facts() : *seen_;
    secret_.clear();
  }

  // Since the last refusal, not the last look: another endpoint may have read it again.
  bool has_changed() const {
    const std::scoped_lock lock{mutex_};
    return !is_same(facts(), refused_ ? *refused_ : seen_.value_or(none));
  }

 private:
  static constexpr struct stat none {};

  // `none` when there is no such file.
  struct stat facts() const {
    struct stat found {};
    if (stat(path_.c_str(), &found) != 0) found = {};
    return found;
  }

  static bool is_same(const struct stat& left, const struct stat& right) {
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino &&
           left.st_size == right.st_size && left.st_mode == right.st_mode &&
           left.st_ctim.tv_sec == right.st_ctim.tv_sec &&
           left.st_ctim.tv_nsec == right.st_ctim.tv_nsec;
  }

  std::string read() const {
    // O_NONBLOCK: a FIFO at that path must not hang the dispatcher.
    const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) throw problem_with("opened");
    const auto closed = std::unique_ptr<const int, void (*)(const int*)>{
        &file, [](const int* descriptor) { close(*descriptor); }};
    struct stat opened {};
    if (fstat(file, &opened) != 0 || !S_ISREG(opened.st_mode)) {
      throw CredentialProblem{
          "the secret file is no regular file; a secret from a pipe goes into an environment "
          "variable"};
    }
    std::string buffer(file_bytes_max, '\0');
    std::size_t length = 0;
    while (length < buffer.size()) {
      const ssize_t got = ::read(file, buffer.data() + length, buffer.size() - length);
      if (got < 0) throw problem_with("read");
      if (got == 0) break;
      length += static_cast<std::size_t>(got);
    }
    return std::string{core::trimmed(std::string_view{buffer}.substr(0, length))};
  }

  // Without its path: some give the secret itself where a path belongs.
  static CredentialProblem problem_with(const char* done) {
    std::string text = "the secret file cannot be ";
    text += done;
    text += ": ";
    text += std::generic_category().message(errno);
    return CredentialProblem{text};
  }

  const std::string path_;
  mutable std::mutex mutex_;
  std::string secret_;
  std::optional<struct stat> seen_ = {};
  std::optional<struct stat> refused_ = {};
};

SecretSource constant(std::string secret) {
  return {.secret = [secret = std::move(secret)] { return secret; }, .is_constant = true};
}

// Empty, it would mean a request without credentials, or one without a signature.
template <class Function>
void require_function(const char* name, const Function& function) {
  if (!function) {
    throw std::invalid_argument{std::string{"outbox: "} + name + ": the function is empty"};
  }
}

Credentials of(AuthScheme scheme, SecretSource source) {
  require_function("credentials: secret", source.secret);
  if (source.is_constant) {
    const std::string problem = problem_of(scheme, source.secret());
    if (!problem.empty()) throw std::invalid_argument{"outbox: the token " + problem};
  }
  return {.scheme = scheme, .source = std::move(source)};
}

}  // namespace

std::optional<CredentialHeader> header_of(const Credentials& credentials) {
  if (!credentials.source.secret) return std::nullopt;
  const std::string secret = secret_of(credentials.source);
  const std::string problem = problem_of(credentials.scheme, secret);
  if (!problem.empty()) throw CredentialProblem{"the token " + problem};
  const char* const name =
      credentials.scheme == AuthScheme::bearer ? "Authorization: Bearer " : "x-api-key: ";
  return CredentialHeader{.line = name + secret, .secret = secret};
}

}  // namespace sinks

inline namespace v1 {

SecretSource from_file(std::string path) {
  if (path.empty()) {
    throw std::invalid_argument{"outbox: from_file: the path of the secret's file is empty"};
  }
  // shared_ptr: std::function wants to be copyable, and the copies are one file.
  const auto file = std::make_shared<sinks::SecretFile>(std::move(path));
  return {.secret = [file] { return file->secret(); },
          .refused = [file] { file->forget(); },
          .is_renewed = [file] { return file->has_changed(); }};
}

SecretSource from_env(const char* variable) {
  if (variable == nullptr) {
    throw std::invalid_argument{"outbox: from_env: the name of the variable is null"};
  }
  const char* const secret = std::getenv(variable);
  if (secret == nullptr) {
    throw std::invalid_argument{std::string{"outbox: the environment has no "} + variable};
  }
  return sinks::constant(std::string{core::trimmed(secret)});
}

SecretSource from_callback(std::function<std::string()> callback) {
  sinks::require_function("from_callback", callback);
  return {.secret = std::move(callback)};
}

SecretSource from_short_lived(std::function<ShortLived()> callback) {
  sinks::require_function("from_short_lived", callback);
  const auto cached = std::make_shared<sinks::ShortLivedSecret>(std::move(callback));
  return {.secret = [cached] { return cached->secret(); },
          .refused = [cached] { cached->forget(); }};
}

Credentials bearer(std::string token) {
  return bearer(sinks::constant(std::move(token)));
}
Credentials bearer(SecretSource source) {
  return sinks::of(AuthScheme::bearer, std::move(source));
}
Credentials x_api_key(std::string key) {
  return x_api_key(sinks::constant(std::move(key)));
}
Credentials x_api_key(SecretSource source) {
  return sinks::of(AuthScheme::x_api_key, std::move(source));
}

}  // namespace v1
}  // namespace outbox

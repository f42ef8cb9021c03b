#include "sinks/nats_options.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "sinks/address.hpp"
#include "sinks/secret_source.hpp"

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

NatsServer require_server(const std::string& url) {
  NatsServer server{.url = url, .host = {}, .port = "4222", .is_tls = url.rfind("tls://", 0) == 0};
  require(server.is_tls || url.rfind("nats://", 0) == 0, "url: must begin with nats:// or tls://");
  const std::string address = url.substr(url.find("://") + 3);
  require(address.find('@') == std::string::npos,
          "url: must not hold a user or password; give credentials");
  require(address.find_first_of("/?# ") == std::string::npos, "url: ends with the port");
  server.host = host_of(address);
  require(!server.host.empty(), "url: not an address: nats://HOST:PORT");
  const std::size_t colon = address.rfind(':');
  const bool has_port = colon != std::string::npos && address.find(']', colon) == std::string::npos;
  if (has_port) server.port = address.substr(colon + 1);
  return server;
}

void require_subject_pattern(const std::string& subject) {
  const std::string sample = route(subject, "d", "k");
  const bool is_clean = std::all_of(sample.begin(), sample.end(), [](char c) {
    return c > 0x20 && c < 0x7F && c != '*' && c != '>' && c != '{' && c != '}';
  });
  require(is_clean, "subject: has no wildcards, spaces, or names but {destination} and {kind}");
  const bool has_empty = sample.empty() || sample.front() == '.' || sample.back() == '.' ||
                         sample.find("..") != std::string::npos;
  require(!has_empty, "subject: a token is empty");
  require(sample.front() != '$', "subject: those that begin with $ are the server's own");
}

bool is_stream_name(const std::string& name) {
  return name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
           return c > 0x20 && c < 0x7F && std::string_view{".*>/\\"}.find(c) == std::string::npos;
         });
}

void require_stream(const NatsOptions& options) {
  require(is_stream_name(options.stream), "stream: no spaces, dots, slashes or wildcards");
  if (!options.create_stream) return;
  const NatsStream& stream = *options.create_stream;
  require(!options.stream.empty(), "create_stream: needs the name, in stream");
  require(stream.replicas >= 1 && stream.replicas <= 5, "create_stream: replicas must be 1 to 5");
  require(stream.duplicate_window >= std::chrono::seconds{1} &&
              stream.duplicate_window <= std::chrono::hours{24 * 365},
          "create_stream: duplicate_window must be 1 s to 365 days");
  require(stream.age_max.value_or(stream.duplicate_window) >= stream.duplicate_window,
          "create_stream: age_max must not be below duplicate_window");
  require(stream.bytes_max.value_or(1) >= 1, "create_stream: bytes_max must be at least 1");
  require(stream.messages_max.value_or(1) >= 1, "create_stream: messages_max must be at least 1");
}

// What stands between a line of dashes that holds `begin` and the next one. Dashes within a line
// are base64url.
std::string block_of(std::string_view text, std::string_view begin) {
  std::size_t at = text.find(begin);
  if (at == std::string_view::npos) return {};
  at = text.find('\n', at);
  if (at == std::string_view::npos) return {};
  const std::size_t end = text.find("\n---", at);
  std::string block{text.substr(at, end == std::string_view::npos ? end : end - at)};
  std::erase_if(block, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
  return block;
}

// libnats writes it into JSON as it is. Another text might even say more than the secret.
bool is_sendable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '"' || c == '\\' || (c >= 0 && c < 0x20); });
}

}  // namespace

std::vector<NatsServer> require_servers(const NatsOptions& options) {
  std::vector<NatsServer> servers;
  for (std::size_t at = 0; at <= options.url.size();) {
    const std::size_t comma = std::min(options.url.find(',', at), options.url.size());
    servers.push_back(require_server(options.url.substr(at, comma - at)));
    require(servers.back().is_tls || is_loopback(servers.back().host) ||
                options.plain_text == PlainText::to_anyone,
            "url: nats:// goes only to loopback, since it may show everything to the network; "
            "use tls://, or allow it by plain_text (--allow-plain-http)");
    at = comma + 1;
  }
  return servers;
}

void require_fit(const NatsOptions& options) {
  require_subject_pattern(options.subject);
  require_stream(options);
  require(options.connect_timeout >= milliseconds{1} &&
              options.connect_timeout <= std::chrono::minutes{5},
          "connect_timeout: must be 1 ms to 5 min");
  require(options.ack_timeout >= milliseconds{1} && options.ack_timeout <= std::chrono::minutes{10},
          "ack_timeout: must be 1 ms to 10 min");
  const NatsCredentials& credentials = options.credentials;
  require(credentials.kind == NatsCredentials::Kind::none || credentials.source.secret,
          "credentials: secret: the function is empty");
  require(credentials.kind != NatsCredentials::Kind::password || !credentials.user.empty(),
          "credentials: a password needs its user");
  require(is_sendable(credentials.user),
          "credentials: user: \", \\ and control characters cannot be sent");
  require(options.certificate_file.empty() == options.key_file.empty(),
          "certificate_file: and key_file: give both or none");
  require(options.format == MessageFormat::plain || !options.source.empty(),
          "source: CloudEvents need one");
}

std::string subject_filter(const std::string& subject) {
  std::string filter;
  for (std::size_t at = 0; at <= subject.size();) {
    const std::size_t end = std::min(subject.find('.', at), subject.size());
    const std::string token = subject.substr(at, end - at);
    if (!filter.empty()) filter += '.';
    filter += token.find('{') == std::string::npos ? token : std::string{"*"};
    at = end + 1;
  }
  return filter;
}

NatsSecret nats_secret(const NatsCredentials& credentials) {
  using Kind = NatsCredentials::Kind;
  if (credentials.kind == Kind::none) return {};
  const std::string text = secret_of(credentials.source);
  if (text.empty()) throw CredentialProblem{"the credential is empty"};
  if (credentials.kind != Kind::creds && !is_sendable(text)) {
    throw CredentialProblem{
        "the credential holds \", \\ or a control character, which cannot be sent"};
  }
  if (credentials.kind != Kind::creds) return {.user = credentials.user, .password = text};
  NatsSecret secret{.jwt = block_of(text, "BEGIN NATS USER JWT"),
                    .seed = block_of(text, "BEGIN USER NKEY SEED")};
  if (secret.jwt.empty() || secret.seed.empty()) {
    throw CredentialProblem{"the creds hold no user JWT with its NKEY seed"};
  }
  return secret;
}

}  // namespace outbox::sinks

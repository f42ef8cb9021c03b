// Any HTTP service as a sink: an event or an array in a request, plain or as CloudEvents.

#include "outbox/webhook.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/encoding.hpp"
#include "core/event/cloudevents.hpp"
#include "core/event/headers.hpp"
#include "core/event/text.hpp"
#include "core/http/secret_parts.hpp"
#include "core/http/signature.hpp"
#include "sinks/address.hpp"
#include "sinks/credentials.hpp"
#include "sinks/http_checks.hpp"
#include "sinks/http_sink.hpp"

namespace outbox {

namespace sinks {

namespace {

// What the sink writes itself, or what says how a request is to be read, or who sent it.
bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 17> ours = {"accept",
                                                     "accept-encoding",
                                                     "authorization",
                                                     "connection",
                                                     "content-encoding",
                                                     "content-length",
                                                     "content-type",
                                                     "cookie",
                                                     "expect",
                                                     "forwarded",
                                                     "host",
                                                     "proxy-authorization",
                                                     "te",
                                                     "trailer",
                                                     "transfer-encoding",
                                                     "upgrade",
                                                     "x-api-key"};
  const std::string given = core::lower(name);
  return std::find(ours.begin(), ours.end(), given) != ours.end() || given.rfind("ce-", 0) == 0 ||
         given.rfind("webhook-", 0) == 0;
}

// CGI and similar interfaces treat '_' and '-' in a name as the same.
std::string as_cgi_reads(std::string_view name) {
  std::string read = core::lower(name);
  std::replace(read.begin(), read.end(), '_', '-');
  return read;
}

// What is not an event's to say, although the options may.
bool is_of_request(const std::string& name) {
  return is_ours(name) || name == "keep-alive" || name == "user-agent" ||
         name.rfind("content-", 0) == 0 || name.rfind("proxy-", 0) == 0;
}

// RFC 9110, 5.6.2, without what no header is named with.
bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), core::is_name_character);
}

bool is_value(std::string_view value) {
  return value.find_first_not_of(' ') != std::string_view::npos && value.size() <= 8 * 1024 &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// libcurl takes "Name:" for an order to leave the header out, and writes it for "Name;".
std::string line_of(std::string_view name, std::string_view value) {
  std::string line{name};
  if (value.empty()) return line += ';';
  line += ": ";
  line += value;
  return line;
}

bool takes_one_event(WebhookFormat format) {
  return format != WebhookFormat::json_array && format != WebhookFormat::cloudevents_batch;
}

const char* content_type_of(WebhookFormat format) {
  switch (format) {
    case WebhookFormat::cloudevents_structured:
      return "Content-Type: application/cloudevents+json";
    case WebhookFormat::cloudevents_batch:
      return "Content-Type: application/cloudevents-batch+json";
    case WebhookFormat::json:
    case WebhookFormat::json_array:
    case WebhookFormat::cloudevents_binary:
      break;
  }
  return "Content-Type: application/json";
}

HttpTarget target_of(const Webhook& options) {
  HttpTarget target = checked_target(options);
  require(is_value(options.source), "source: must be visible ASCII, and not empty");
  for (auto header = options.headers.begin(); header != options.headers.end(); ++header) {
    const auto& [name, value] = *header;
    require(is_name(name) && !is_ours(name),
            "headers: a name is of A-Z a-z 0-9 - _, and none that the sink writes itself");
    require(is_value(value), "headers: a value is of visible ASCII and spaces, at most 8 KiB");
    const bool is_first = std::none_of(options.headers.begin(), header, [&](const auto& other) {
      return core::are_alike(other.first, header->first);
    });
    require(is_first, "headers: two have the same name");
  }
  for (const SecretHeader& header : options.secret_headers) {
    require(is_name(header.name) &&
                (!is_ours(header.name) || core::are_alike(header.name, "authorization")),
            "secret_headers: a name is of A-Z a-z 0-9 - _, and none that the sink writes itself");
    require(static_cast<bool>(header.value.secret), "secret_headers: a value needs a source");
    require(!core::are_alike(header.name, "authorization") || !options.credentials.source.secret,
            "secret_headers: Authorization is what credentials are for; give one of them");
  }
  return target;
}

// Where the path or the query of `url` begins; its size: it has none.
std::size_t end_of_host(const std::string& url) {
  const std::size_t host = url.find("://");
  return std::min(url.find_first_of("/?", host == std::string::npos ? 0 : host + 3), url.size());
}

// The requests of one webhook.
class WebhookCalls {
 public:
  explicit WebhookCalls(Webhook options)
      : options_{std::move(options)},
        url_secrets_{core::secrets_in_url(
            std::string_view{options_.url}.substr(end_of_host(options_.url)))} {}

  HttpRequest operator()(Batch batch) const {
    HttpRequest request{.url = options_.url,
                        .header_lines = {content_type_of(options_.format)},
                        .secrets = url_secrets_};
    add_options(request);
    if (takes_one_event(options_.format) && !batch.events.empty()) {
      add_event(request, batch.events.front());
    }
    const std::string id = id_of(batch);
    request.body = body_of(std::move(batch));
    request.header_lines.push_back(line_of("webhook-id", id));
    if (options_.signing_key.secret) sign(request, id);
    return request;
  }

 private:
  void add_options(HttpRequest& request) const {
    for (const auto& [name, value] : options_.headers) {
      request.header_lines.push_back(line_of(name, value));
    }
    for (const SecretHeader& header : options_.secret_headers) {
      const std::string secret = secret_of(header.value);
      if (!is_value(secret)) {
        throw CredentialProblem{"the secret of the header " + header.name +
                                " is empty, too long, or holds what a header may not"};
      }
      request.header_lines.push_back(line_of(header.name, secret));
      for (std::string& part : core::secrets_in_header(secret)) {
        request.secrets.push_back(std::move(part));
      }
    }
    if (auto header = header_of(options_.credentials)) {
      request.header_lines.push_back(std::move(header->line));
      request.secrets.push_back(std::move(header->secret));
    }
  }

  void add_event(HttpRequest& request, const BatchEvent& event) const {
    for (const auto& [name, value] : headers_of(event)) {
      const std::string read = as_cgi_reads(name);
      if (is_of_request(read) || is_configured(read)) continue;
      request.header_lines.push_back(line_of(name, core::header_value(value)));
    }
    if (options_.format != WebhookFormat::cloudevents_binary) return;
    for (const auto& [name, value] : cloudevents_attributes(event, options_.source)) {
      std::string prefixed = "ce-";
      prefixed += name;
      request.header_lines.push_back(line_of(prefixed, core::header_value(value)));
    }
  }

  bool is_configured(const std::string& read) const {
    return std::any_of(options_.headers.begin(), options_.headers.end(),
                       [&](const auto& header) { return as_cgi_reads(header.first) == read; }) ||
           std::any_of(options_.secret_headers.begin(), options_.secret_headers.end(),
                       [&](const auto& header) { return as_cgi_reads(header.name) == read; });
  }

  std::string body_of(Batch batch) const {
    const auto cloudevent_of = [&](const BatchEvent& event) {
      return core::cloudevent(cloudevents_attributes(event, options_.source), batch.payload(event));
    };
    switch (options_.format) {
      case WebhookFormat::json_array:
        return std::move(batch.body);
      case WebhookFormat::cloudevents_structured:
        return cloudevent_of(batch.events.front());
      case WebhookFormat::cloudevents_batch: {
        std::string body = "[";
        for (const BatchEvent& event : batch.events) {
          if (body.size() > 1) body += ',';
          body += cloudevent_of(event);
        }
        body += ']';
        return body;
      }
      case WebhookFormat::json:
      case WebhookFormat::cloudevents_binary:
        break;
    }
    return std::string{batch.payload(batch.events.front())};
  }

  static std::string id_of(const Batch& batch) {
    std::vector<std::string_view> ids;
    for (const BatchEvent& event : batch.events) ids.emplace_back(event.event_id);
    return core::webhook_id(ids);
  }

  void sign(HttpRequest& request, const std::string& id) const {
    const core::Instant now = core::system_now();
    const std::string keys = secret_of(options_.signing_key);
    std::string signatures;
    for (std::string_view rest = core::trimmed(keys); !rest.empty(); rest = core::trimmed(rest)) {
      const std::string_view written = rest.substr(0, rest.find_first_of(" \t\r\n"));
      const auto key = core::signing_key(written);
      if (!key) {
        throw CredentialProblem{"the signing key is not \"whsec_\" and 24 to 64 bytes in base64"};
      }
      if (!signatures.empty()) signatures += ' ';
      signatures += core::webhook_signature(*key, id, now, request.body);
      request.secrets.emplace_back(written);
      request.secrets.emplace_back(written.substr(written.find('_') + 1));  // without "whsec_"
      rest.remove_prefix(written.size());
    }
    if (signatures.empty()) throw CredentialProblem{"the signing key is empty"};
    request.header_lines.push_back(line_of("webhook-timestamp", core::webhook_timestamp(now)));
    request.header_lines.push_back(line_of("webhook-signature", signatures));
  }

  Webhook options_;
  std::vector<std::string> url_secrets_;  // many services put one into the path
};

std::vector<SecretSource> secrets_of(const Webhook& options) {
  std::vector<SecretSource> secrets = {options.credentials.source, options.signing_key};
  for (const SecretHeader& header : options.secret_headers) secrets.push_back(header.value);
  return secrets;
}

std::string name_of(const Webhook& options) {
  return with_fingerprint(options.url, end_of_host(options.url) + 1);
}

HttpService webhook_service(Webhook options) {
  BatchRules rules{.mixes_kinds = true, .takes_any_object = true};
  if (takes_one_event(options.format)) rules.events_max = 1;
  return {.name = name_of(options),
          .target = target_of(options),
          .rules = rules,
          .bodies = core::AnswerBodies::ignored,
          .meanings = options.meanings,
          .secrets = secrets_of(options),
          .request_of = WebhookCalls{std::move(options)}};
}

}  // namespace
}  // namespace sinks

inline namespace v1 {

Endpoint webhook(Webhook options) {
  return Endpoint{std::make_unique<sinks::HttpSink>(sinks::webhook_service(std::move(options)))};
}

std::string connection_problem(const Webhook& options) {
  const sinks::HttpTarget target = sinks::target_of(options);
  try {
    sinks::WebhookCalls{options}({.body = "[]", .events = {{}}});  // made, and not sent
  } catch (const sinks::CredentialProblem& problem) {
    return problem.what();
  }
  return sinks::connection_problem(target);
}

}  // namespace v1
}  // namespace outbox

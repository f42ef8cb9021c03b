#include "sinks/track_sink.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/event/event_check.hpp"
#include "core/http/secret_parts.hpp"
#include "sinks/credentials.hpp"
#include "sinks/http_checks.hpp"

namespace outbox {

namespace sinks {

namespace {

// `given`, or `track_url` with `name` in place of the "track" at the end of its path; empty: it
// has none.
std::string sibling_of(const std::string& track_url, const std::string& given, const char* name) {
  constexpr std::string_view last = "/track";
  if (!given.empty()) return given;
  const std::size_t end = std::min(track_url.find('?'), track_url.size());
  const bool has_it =
      end >= last.size() && track_url.compare(end - last.size(), last.size(), last) == 0;
  if (!has_it) return {};
  return track_url.substr(0, end - last.size() + 1) + name + track_url.substr(end);
}

HttpTarget target_of(const TrackApi& options) {
  HttpTarget target = checked_target(options);
  if (!options.identify_url.empty()) {
    require_allowed(options.identify_url, options.plain_text, "identify_url");
  }
  if (!options.group_url.empty()) {
    require_allowed(options.group_url, options.plain_text, "group_url");
  }
  return target;
}

// The addresses of the API's three calls, and who the app is to it.
class TrackCalls {
 public:
  explicit TrackCalls(TrackApi options)
      : track_url_{options.url},
        identify_url_{sibling_of(options.url, options.identify_url, "identify")},
        group_url_{sibling_of(options.url, options.group_url, "group")},
        credentials_{std::move(options.credentials)} {}

  std::variant<HttpRequest, Outcome> operator()(Batch batch) const {
    const std::string kind = batch.events.empty() ? "" : batch.events.front().kind;
    const std::string* const url = url_of(kind);
    if (url == nullptr) return no_address(kind);
    HttpRequest request{
        .url = *url,
        .body = std::move(batch.body),
        .header_lines = {"Content-Type: application/json", "Accept: application/json"},
        .secrets = core::secrets_in_url(
            std::string_view{*url}.substr(std::min(url->find('?'), url->size())))};
    if (auto header = header_of(credentials_)) {
      request.header_lines.push_back(std::move(header->line));
      request.secrets.push_back(std::move(header->secret));
    }
    return request;
  }

 private:
  // Null: the API has no address for this kind, or it is not known.
  const std::string* url_of(const std::string& kind) const {
    const std::string* const url = kind.empty() || kind == core::event_kind::track ? &track_url_
                                   : kind == core::event_kind::identify            ? &identify_url_
                                   : kind == core::event_kind::group               ? &group_url_
                                                                                   : nullptr;
    return url == nullptr || url->empty() ? nullptr : url;
  }

  static Outcome no_address(const std::string& kind) {
    const bool is_ours = kind == core::event_kind::identify || kind == core::event_kind::group;
    // As if the endpoint had said so: then these events wait alone, and hold up no others.
    return {.verdict = is_ours ? Verdict::misconfigured : Verdict::refused,
            .reason = "no address for events of the kind " + kind,
            .has_arrived = true};
  }

  std::string track_url_;
  std::string identify_url_;  // empty: there is none
  std::string group_url_;
  Credentials credentials_;
};

std::string name_of(const TrackApi& options) {
  std::string name = without_query(options.url);
  if (!options.identify_url.empty()) name += " identify " + without_query(options.identify_url);
  if (!options.group_url.empty()) name += " group " + without_query(options.group_url);
  return name;
}

}  // namespace

HttpService track_service(TrackApi options) {
  return {.name = name_of(options),
          .target = target_of(options),
          .rules = {},
          .bodies = core::AnswerBodies::of_track_api,
          .meanings = options.meanings,
          .secrets = {options.credentials.source},
          .request_of = TrackCalls{std::move(options)}};
}

}  // namespace sinks

inline namespace v1 {

Endpoint track_api(TrackApi options) {
  return Endpoint{std::make_unique<sinks::HttpSink>(sinks::track_service(std::move(options)))};
}

std::string connection_problem(const TrackApi& options) {
  return sinks::connection_problem(sinks::target_of(options));
}

}  // namespace v1
}  // namespace outbox

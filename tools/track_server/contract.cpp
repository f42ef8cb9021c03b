#include "contract.hpp"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace track_server {

namespace {

using Json = nlohmann::ordered_json;

// Why a request is refused; nothing: it is not.
using Refusal = std::optional<std::string>;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A '9' in the picture stands for any digit, anything else for itself.
bool looks_like(std::string_view text, std::string_view picture) {
  if (text.size() != picture.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (picture[i] == '9' ? !is_digit(text[i]) : text[i] != picture[i]) return false;
  }
  return true;
}

// Requires: two digits at `at`.
int two_digits(std::string_view text, std::size_t at) {
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

bool is_zone(std::string_view text) {
  if (text == "Z") return true;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  text.remove_prefix(1);
  const bool has_minutes = looks_like(text, "99:99") || looks_like(text, "9999");
  if (!has_minutes && !looks_like(text, "99")) return false;
  return two_digits(text, 0) <= 23 && (!has_minutes || two_digits(text, text.size() - 2) <= 59);
}

bool is_real_date_and_time(std::string_view text) {
  using namespace std::chrono;
  const int century = two_digits(text, 0);
  const year_month_day date{year{century * 100 + two_digits(text, 2)},
                            month{static_cast<unsigned>(two_digits(text, 5))},
                            day{static_cast<unsigned>(two_digits(text, 8))}};
  // 60: a leap second (RFC 3339, 5.6).
  return date.ok() && two_digits(text, 11) <= 23 && two_digits(text, 14) <= 59 &&
         two_digits(text, 17) <= 60;
}

bool is_iso8601(std::string_view text) {
  constexpr std::string_view picture = "9999-99-99T99:99:99";
  if (!looks_like(text.substr(0, picture.size()), picture)) return false;
  if (!is_real_date_and_time(text)) return false;
  text.remove_prefix(picture.size());
  if (!text.empty() && text.front() == '.') {
    const std::size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return false;
    text.remove_prefix(end);
  }
  return is_zone(text);
}

Refusal required_text(const Json& event, const std::string& element, const char* field) {
  const auto found = event.find(field);
  if (found == event.end()) return element + "." + field + ": required";
  if (!found->is_string()) return element + "." + field + ": must be a string";
  if (found->get_ref<const std::string&>().empty()) return element + "." + field + ": required";
  return std::nullopt;
}

// What each of the three calls asks of an event.
std::vector<const char*> required_fields(std::string_view path) {
  if (path == "/api/identify") return {"user_id", "timestamp"};
  if (path == "/api/group") return {"group_id", "user_id", "timestamp"};
  return {"event_name", "user_id", "timestamp"};
}

Refusal event_refusal(const Json& event, std::string_view path, std::size_t index) {
  const std::string element = "events[" + std::to_string(index) + "]";
  if (!event.is_object()) return element + ": must be an object";
  for (const char* field : required_fields(path)) {
    if (auto refusal = required_text(event, element, field)) return refusal;
  }
  if (!is_iso8601(event["timestamp"].get_ref<const std::string&>())) {
    return element + ".timestamp: must be ISO 8601 with a four-digit year and a zone";
  }
  for (const char* field : {"properties", "traits", "context"}) {
    const auto found = event.find(field);
    if (found == event.end() || found->is_object()) continue;
    return element + "." + field + ": must be an object";
  }
  if (path == "/api/group" &&
      (!event.contains("context") || !event["context"].contains("group_id") ||
       event["context"]["group_id"] != event["group_id"])) {
    return element + ".context.group_id: must be the group_id";
  }
  return std::nullopt;
}

Refusal batch_refusal(const Json& batch, std::string_view path) {
  if (!batch.is_array()) return "body: must be an array of events";
  if (batch.empty()) return "body: holds no events";
  if (batch.size() > batch_events_max) return "body: more than 1,000 events";
  for (std::size_t index = 0; index < batch.size(); ++index) {
    if (auto refusal = event_refusal(batch[index], path, index)) return refusal;
  }
  return std::nullopt;
}

// Throws: `std::invalid_argument` with the refusal; what the parser says is not passed on, since it
// quotes the body.
Json parse(std::string_view body) {
  const auto limit_depth = [](int depth, Json::parse_event_t, Json&) {
    if (static_cast<std::size_t>(depth) <= json_depth_max) return true;
    throw std::invalid_argument("body: nested deeper than 512 levels");
  };
  try {
    return Json::parse(body, limit_depth);
  } catch (const Json::parse_error& error) {
    throw std::invalid_argument("body: not JSON at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    throw std::invalid_argument("body: not JSON");  // e.g. a number beyond any double
  }
}

// RFC 9110, 11.1: the name of the scheme is case-insensitive.
std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = authorization[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != scheme[i]) return {};
  }
  return authorization.substr(scheme.size());
}

bool is_allowed(std::string_view authorization, std::string_view api_key, std::string_view token) {
  const std::string_view bearer = bearer_token(authorization);
  if (token.empty()) return !bearer.empty() || !api_key.empty();
  return bearer == token || api_key == token;
}

Verdict refused(int status, std::string message) {
  return {.status = status, .message = std::move(message)};
}

}  // namespace

Verdict judge(std::string_view body, std::string_view authorization, std::string_view api_key,
              std::string_view token, std::string_view path) {
  if (!is_allowed(authorization, api_key, token)) {
    return refused(401, "the credential is missing or wrong");
  }
  if (body.size() > body_bytes_max) return refused(400, "body: over 2,000,000 bytes");
  try {
    const Json batch = parse(body);
    if (auto refusal = batch_refusal(batch, path)) return refused(400, std::move(*refusal));
    Verdict verdict;
    verdict.events.reserve(batch.size());
    for (const Json& event : batch) verdict.events.push_back(event.dump());
    return verdict;
  } catch (const std::invalid_argument& refusal) {
    return refused(400, refusal.what());
  }
}

std::string answer_body(int status, std::string_view response_id, std::string_view message) {
  return Json{{"success", status >= 200 && status < 300},
              {"response_id", response_id},
              {"message", message},
              {"warnings", Json::array()}}
      .dump();
}

bool says_refused(std::string_view body) {
  const Json answer = Json::parse(body, nullptr, false);
  const auto success = answer.find("success");
  return answer.is_object() && success != answer.end() && *success == false;
}

}  // namespace track_server

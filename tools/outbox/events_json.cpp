#include "events_json.hpp"

#include "format.hpp"
#include "json.hpp"
#include "mask.hpp"

namespace cli {

namespace {

Json time_or_null(const std::optional<Time>& time) {
  return time ? Json(rfc3339(*time)) : Json(nullptr);
}

}  // namespace

Json headers_of(const std::string& headers, const Globals& globals) {
  if (headers.empty()) return nullptr;
  const Json json = shown_payload(headers, globals);
  return json.is_object() ? json : Json(nullptr);
}

Json text_or_null(const std::string& text, const Globals& globals) {
  return text.empty() ? Json(nullptr) : Json(shown(text, globals));
}

Json json_of(const outbox::EventSummary& event, const Globals& globals) {
  return {{"id", event.id},
          {"event_id", shown(event.event_id, globals)},
          {"destination", event.destination},
          {"event_name", shown(event.event_name, globals)},
          {"user_id", shown(event.user_id, globals)},
          {"group_id", shown(event.group_id, globals)},
          {"state", to_string(event.state)},
          {"attempts", event.refusals + event.solo_failures},
          {"enqueued_at", rfc3339(event.enqueued_at)},
          {"due_at", time_or_null(event.due_at)},
          {"settled_at", time_or_null(event.settled_at)},
          {"last_error", text_or_null(event.last_error, globals)}};
}

Json json_of(const outbox::RequestSummary& request, const Globals& globals) {
  return {{"id", request.id},
          {"destination", request.destination},
          {"started_at", rfc3339(request.started_at)},
          {"took_ms", request.took.count()},
          {"events", request.events},
          {"first_id", request.first_id},
          {"last_id", request.last_id},
          {"bytes", request.bytes},
          {"status", request.status ? Json(*request.status) : Json(nullptr)},
          {"outcome", to_string(request.verdict)},
          {"reason", text_or_null(request.reason, globals)},
          {"response_id", text_or_null(request.response_id, globals)},
          {"warnings", text_or_null(request.warnings, globals)},
          {"parent", request.parent ? Json(*request.parent) : Json(nullptr)}};
}

namespace {

// "refused → halved", "refused alone: HTTP 400: …"
std::string outcome_text(const outbox::RequestSummary& request, const Globals& globals) {
  std::string text = to_string(request.verdict);
  if (request.verdict == outbox::Verdict::refused)
    text += request.events > 1 ? " → halved" : " alone";
  if (!request.reason.empty()) text += ": " + escaped(shown(request.reason, globals));
  return text;
}

}  // namespace

// Escapes like ensure_ascii would make names unreadable, so only what a terminal obeys is escaped:
// JSON does that for C0, and the rest is written as \u escapes here.
std::string line_of(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return json_escaped(text) + "\n";
}

std::string table_of(const std::vector<outbox::RequestSummary>& requests, const Globals& globals) {
  std::vector<std::vector<std::string>> rows = {
      {"batch", "when", "events", "http", "took", "outcome"}};
  for (const outbox::RequestSummary& request : requests) {
    rows.push_back({std::to_string(request.id), when(request.started_at, globals),
                    grouped(request.events), request.status ? std::to_string(*request.status) : "-",
                    std::to_string(request.took.count()) + " ms", outcome_text(request, globals)});
  }
  return table(rows);
}

}  // namespace cli

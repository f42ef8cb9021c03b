#include "events_json.hpp"

#include "format.hpp"
#include "mask.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

Json time_or_null(const std::optional<Time>& time) {
  return time ? Json(rfc3339(*time)) : Json(nullptr);
}

Json text_or_null(const std::string& text, const Globals& globals) {
  return text.empty() ? Json(nullptr) : Json(shown(text, globals));
}

}  // namespace

Json json_of(const outbox::EventSummary& event, const Globals& globals) {
  return {{"id", event.id},
          {"event_id", event.event_id},
          {"destination", event.destination},
          {"event_name", shown(event.event_name, globals)},
          {"user_id", shown(event.user_id, globals)},
          {"group_id", shown(event.group_id, globals)},
          {"state", event.state},
          {"attempts", event.attempts},
          {"enqueued_at", rfc3339(event.enqueued_at)},
          {"due_at", time_or_null(event.due_at)},
          {"settled_at", time_or_null(event.settled_at)},
          {"last_error", text_or_null(event.last_error, globals)}};
}

Json json_of(const outbox::BatchSummary& batch, const Globals& globals) {
  return {{"id", batch.id},
          {"destination", batch.destination},
          {"started_at", rfc3339(batch.started_at)},
          {"took_ms", batch.took.count()},
          {"events", batch.events},
          {"first_id", batch.first_id},
          {"last_id", batch.last_id},
          {"bytes", batch.bytes},
          {"status", batch.status ? Json(*batch.status) : Json(nullptr)},
          {"outcome", batch.outcome},
          {"reason", text_or_null(batch.reason, globals)},
          {"response_id", text_or_null(batch.response_id, globals)},
          {"warnings", text_or_null(batch.warnings, globals)},
          {"parent", batch.parent ? Json(*batch.parent) : Json(nullptr)}};
}

namespace {

// "refused → halved", "refused alone: HTTP 400: …"
std::string outcome_text(const outbox::BatchSummary& batch, const Globals& globals) {
  std::string text = batch.outcome;
  if (batch.outcome == "refused") text += batch.events > 1 ? " → halved" : " alone";
  if (!batch.reason.empty()) text += ": " + escaped(shown(batch.reason, globals));
  return text;
}

}  // namespace

// Escapes like ensure_ascii would make names unreadable, so only what a terminal obeys is escaped:
// JSON does that for C0, and the rest is written as \u escapes here.
std::string line_of(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return json_escaped(text) + "\n";
}

std::string table_of(const std::vector<outbox::BatchSummary>& batches, const Globals& globals) {
  std::vector<std::vector<std::string>> rows = {
      {"batch", "when", "events", "http", "took", "outcome"}};
  for (const outbox::BatchSummary& batch : batches) {
    rows.push_back({std::to_string(batch.id), when(batch.started_at, globals),
                    grouped(batch.events), batch.status ? std::to_string(*batch.status) : "-",
                    std::to_string(batch.took.count()) + " ms", outcome_text(batch, globals)});
  }
  return table(rows);
}

}  // namespace cli

// What the page reads.

#include <sqlite3.h>

#include <filesystem>
#include <limits>

#include "api.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "mask.hpp"
#include "outbox/browse.hpp"
#include "outbox/errors.hpp"
#include "outbox/inspect.hpp"
#include "outbox/version.hpp"
#include "query.hpp"
#include "status.hpp"

namespace page {

namespace {

constexpr std::chrono::milliseconds list_patience{100};  // with the rest, an answer in 200 ms
constexpr std::chrono::milliseconds status_patience{130};
constexpr std::chrono::seconds patience{2};  // for a file that was made to keep readers busy

// JavaScript's numbers end at 2^53, and an id may be larger.
void put_id_as_text(Json& json, const char* name) {
  const auto found = json.find(name);
  if (found != json.end() && found->is_number()) *found = found->dump();
}

Json request_json(const outbox::RequestSummary& request, const cli::Globals& globals) {
  Json json = cli::json_of(request, globals);
  for (const char* name : {"id", "first_id", "last_id", "parent"}) put_id_as_text(json, name);
  return json;
}

Json event_json(const outbox::EventSummary& event, const cli::Globals& globals) {
  Json json = cli::json_of(event, globals);
  put_id_as_text(json, "id");
  return json;
}

// All but one event's payload is masked, whatever was allowed.
cli::Globals masked(const Desk& desk) {
  cli::Globals globals = desk.globals;
  globals.reveals = false;
  return globals;
}

std::string destination_of(const Desk& desk, const Parameters& parameters) {
  const std::string named = value_of(parameters, "destination");
  return desk.globals.destination.empty() ? named : desk.globals.destination;
}

std::size_t limit_of(const Parameters& parameters, std::size_t usual) {
  constexpr std::int64_t max = 500;
  const std::string limit = value_of(parameters, "limit");
  return limit.empty() ? usual : static_cast<std::size_t>(number_of("limit", limit, max));
}

Json look_at_events(const Desk& desk, SQLite::Database& db, const Parameters& parameters) {
  const outbox::EventPage found =
      outbox::browse_events(db, filter_of(desk, parameters), part_of(parameters), list_patience);
  Json json{{"events", Json::array()},
            {"next", nullptr},
            {"complete", found.is_complete},
            {"looked_at", found.looked_at}};
  for (const auto& event : found.events) json["events"].push_back(event_json(event, masked(desk)));
  if (found.next_after_id) json["next"] = std::to_string(*found.next_after_id);
  return json;
}

Json look_at_event(const Desk& desk, SQLite::Database& db, std::int64_t id,
                   const Parameters& parameters) {
  require_known(parameters, {"reveal"});
  cli::Globals globals = masked(desk);
  if (value_of(parameters, "reveal") == "1") {
    if (!desk.globals.reveals) throw Problem{403, "start `outbox serve` with --reveal to see it"};
    globals.reveals = true;
  }
  const auto detail = outbox::find_event(db, id);
  const auto explanation = outbox::explain(db, id);
  const std::string& only = desk.globals.destination;
  const bool is_shown =
      detail && explanation && (only.empty() || detail->event.destination == only);
  if (!is_shown) throw Problem{404, "no event " + std::to_string(id)};
  Json json = event_json(detail->event, globals);
  json["ordering_key"] = cli::text_or_null(detail->ordering_key, globals);
  json["dedupe_key"] = cli::text_or_null(detail->dedupe_key, globals);
  json["kind"] = cli::text_or_null(detail->kind, globals);
  json["explanation"] = cli::shown(explanation->text, globals);
  json["payload"] = cli::shown_payload(detail->payload, globals);
  json["payload_bytes"] = detail->payload.size();
  json["is_masked"] = !globals.reveals;
  json["can_reveal"] = desk.globals.reveals;
  json["requests"] = Json::array();
  for (const auto& request : detail->requests) {
    json["requests"].push_back(request_json(request, globals));
  }
  return json;
}

Json look_at_errors(const Desk& desk, SQLite::Database& db, const Parameters& parameters) {
  require_known(parameters, {"destination", "limit"});
  Json json{{"errors", Json::array()}};
  for (const outbox::FailureReason& reason :
       outbox::list_failures(db, destination_of(desk, parameters), limit_of(parameters, 20))) {
    json["errors"].push_back({{"destination", reason.destination},
                              {"reason", outbox::mask_addresses(reason.reason)},
                              {"dead", reason.is_dead},
                              {"events", reason.events},
                              {"newest_id", std::to_string(reason.newest_id)}});
  }
  return json;
}

Json look_at_batches(const Desk& desk, SQLite::Database& db, const Parameters& parameters) {
  require_known(parameters, {"destination", "limit"});
  Json json{{"batches", Json::array()}};
  for (const outbox::RequestSummary& request :
       outbox::list_requests(db, destination_of(desk, parameters), limit_of(parameters, 100))) {
    json["batches"].push_back(request_json(request, masked(desk)));
  }
  return json;
}

Json look_at_audit(const Desk& desk, SQLite::Database& db, const Parameters& parameters) {
  require_known(parameters, {"limit"});
  const cli::Globals globals = masked(desk);
  Json json{{"changes", Json::array()}};
  for (const outbox::AuditEntry& entry :
       outbox::list_audit(db, globals.destination, limit_of(parameters, 100))) {
    json["changes"].push_back({{"id", std::to_string(entry.id)},
                               {"at", cli::rfc3339(entry.at)},
                               {"action", entry.action},
                               {"actor", cli::shown(entry.actor, globals)},
                               {"destination", cli::text_or_null(entry.destination, globals)},
                               {"subject", cli::text_or_null(entry.subject, globals)},
                               {"events", entry.events},
                               {"reason", cli::text_or_null(entry.reason, globals)}});
  }
  return json;
}

Json look_at_series(const Desk& desk, SQLite::Database& db, const Parameters& parameters) {
  require_known(parameters, {"destination", "window"});
  const std::string window = value_of(parameters, "window");
  constexpr std::int64_t slots = 60;
  outbox::TrafficOptions options{.destination = destination_of(desk, parameters)};
  if (!window.empty()) options.window = cli::duration_of(window);
  if (options.window < std::chrono::minutes{1}) throw Problem{400, "window: 1m or more"};
  options.slot = options.window / slots;
  options.window = options.slot * slots;
  const outbox::Traffic traffic = outbox::traffic(db, options);
  Json json{{"slot_ms", options.slot.count()},
            {"complete", traffic.is_complete},
            {"slots", Json::array()}};
  for (const outbox::TrafficSlot& slot : traffic.slots) {
    json["slots"].push_back({{"at", cli::rfc3339(slot.begins_at)},
                             {"delivered", slot.delivered},
                             {"refused", slot.refused},
                             {"failed", slot.failed},
                             {"events", slot.events},
                             {"p50_ms", slot.took_p50.count()},
                             {"p95_ms", slot.took_p95.count()}});
  }
  return json;
}

Json json_of(const Desk& desk, const outbox::Status& status) {
  Json json = cli::json_of(status, masked(desk));
  for (Json& destination : json["destinations"]) {
    for (Json& holder : destination["holders"]) put_id_as_text(holder, "id");
  }
  json["can_change"] = desk.can_change;
  json["can_reveal"] = desk.globals.reveals;
  json["version"] = outbox::version();
  json["database"] = std::filesystem::path{desk.globals.db}.filename().native();
  json["schema_version"] = outbox::schema_version();
  json["sqlite_version"] = sqlite3_libversion();
  json["now"] = cli::rfc3339(std::chrono::system_clock::now());
  return json;
}

using Look = Json (*)(const Desk&, SQLite::Database&, const Parameters&);

constexpr std::pair<const char*, Look> looks[] = {{"/events", look_at_events},
                                                  {"/errors", look_at_errors},
                                                  {"/batches", look_at_batches},
                                                  {"/audit", look_at_audit},
                                                  {"/series", look_at_series}};

}  // namespace

Json status_json(const Desk& desk, SQLite::Database& db) {
  Json json = json_of(desk, outbox::status(db, desk.globals.destination));
  json["complete"] = true;
  return json;
}

Json quick_status(const Desk& desk) {
  Reader reader{desk, status_patience};
  try {
    return status_json(desk, reader.db());
  } catch (const outbox::database_error& error) {
    if ((error.code() & 0xFF) != SQLITE_INTERRUPT) throw;
  }
  reader.restart();
  outbox::Status known{.destinations = outbox::list_destinations(reader.db())};
  std::erase_if(known.destinations, [&desk](const outbox::DestinationStatus& one) {
    return !desk.globals.destination.empty() && one.name != desk.globals.destination;
  });
  Json json = json_of(desk, known);
  json["complete"] = false;
  return json;
}

std::optional<Json> look(const Desk& desk, const std::string& path, const Parameters& parameters) {
  constexpr std::string_view one_event = "/events/";
  if (path.rfind(one_event, 0) == 0) {
    const std::int64_t id = number_of("the event's id", path.substr(one_event.size()),
                                      std::numeric_limits<std::int64_t>::max());
    Reader reader{desk, patience};
    return look_at_event(desk, reader.db(), id, parameters);
  }
  for (const auto& [name, read] : looks) {
    if (path != name) continue;
    Reader reader{desk, patience};
    return read(desk, reader.db(), parameters);
  }
  return std::nullopt;
}

}  // namespace page

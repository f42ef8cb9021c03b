#include "status.hpp"

#include <filesystem>
#include <iostream>
#include <memory>

#include "destination.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/metrics.hpp"

namespace cli {

namespace {

void put_counts(Json& json, const outbox::Counts& counts) {
  json["pending"] = counts.pending;
  json["due"] = counts.due;
  json["scheduled"] = counts.scheduled;
  json["waiting"] = counts.waiting;
  json["retrying"] = counts.retrying;
  json["dead"] = counts.dead;
  json["discarded"] = counts.discarded;
  json["delivered"] = counts.delivered;
  json["enqueued"] = counts.enqueued;
  json["removed"] = counts.removed;
  json["delivered_total"] = counts.delivered_total;
  json["requests_total"] = counts.requests_total;
  const auto ms = [](const auto& age) { return age ? Json(age->count()) : Json(nullptr); };
  json["oldest_due_age_ms"] = ms(counts.oldest_due_age);
  json["oldest_retrying_age_ms"] = ms(counts.oldest_retrying_age);
}

}  // namespace

Json json_of(const outbox::DestinationStatus& destination, const Globals& globals) {
  Json json{{"name", destination.name}};
  put_counts(json, destination.counts);
  json["paused"] = nullptr;
  json["hold"] = nullptr;
  json["dispatcher"] = nullptr;
  if (const auto& paused = destination.paused) {
    json["paused"] = {{"reason", shown(paused->reason, globals)},
                      {"since", rfc3339(paused->since)}};
  }
  if (const auto& hold = destination.hold) {
    json["hold"] = {{"kind", to_string(hold->kind)},
                    {"reason", shown(hold->reason, globals)},
                    {"since", rfc3339(hold->since)},
                    {"until", rfc3339(hold->until)},
                    {"tries", hold->tries}};
  }
  if (const auto& dispatcher = destination.dispatcher) {
    json["dispatcher"] = {
        {"pid", dispatcher->pid},
        {"host", dispatcher->host},
        {"since", dispatcher->pid == 0 ? Json(nullptr) : Json(rfc3339(dispatcher->since))},
        {"last_round", rfc3339(dispatcher->last_round)},
        {"in_flight_since",
         dispatcher->in_flight_since ? Json(rfc3339(*dispatcher->in_flight_since)) : Json(nullptr)},
        {"database_trouble", text_or_null(dispatcher->database_trouble, globals)},
        {"trouble", text_or_null(dispatcher->trouble, globals)}};
  }
  json["was_ever_served"] = destination.was_ever_served;
  json["is_foreign"] = destination.is_foreign;
  json["holders"] = Json::array();
  for (const outbox::Holder& holder : destination.holders) {
    json["holders"].push_back({{"id", holder.id},
                               {"dead", holder.is_dead},
                               {"refusals", holder.refusals},
                               {"solo_failures", holder.solo_failures},
                               {"holds", holder.holds}});
  }
  return json;
}

Json json_of(const outbox::Status& status, const Globals& globals) {
  Json json{{"schema", "outbox.status/1"}};
  put_counts(json, status.counts);
  json["destinations"] = Json::array();
  for (const auto& destination : status.destinations) {
    json["destinations"].push_back(json_of(destination, globals));
  }
  return json;
}

namespace {

void print_screen(const outbox::Status& status, const Globals& globals) {
  std::cout << "outbox  " << escaped(std::filesystem::path{globals.db}.filename().native())
            << "   schema " << status.schema_version;
  if (const std::uint64_t wal = bytes_of_wal(globals); wal > 0) {
    std::cout << "   wal " << how_large(wal);
  }
  std::cout << "\n\n";
  if (status.destinations.empty()) {
    std::cout << "  no event has been queued and no dispatcher has run yet\n";
    return;
  }
  std::cout << table_of(status);
  std::vector<std::string> notes;
  for (const auto& destination : status.destinations) {
    for (std::string& note : note_lines(destination, globals)) notes.push_back(std::move(note));
  }
  if (const std::int64_t dead = status.counts.dead; dead > 0) {
    notes.push_back("! " + grouped(dead) + (dead == 1 ? " dead event needs" : " dead events need") +
                    " a decision:  " + hint(globals, "list --state dead"));
  }
  if (!notes.empty()) std::cout << "\n";
  for (const std::string& note : notes) std::cout << attention(note, globals) << "\n";
}

ExitCode show(bool is_for_prometheus, const Globals& globals) {
  if (globals.is_json && is_for_prometheus) {
    throw Failure{usage, "--json and --prometheus: give one of them"};
  }
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  const outbox::Status status = outbox::status(db, globals.destination);
  if (is_for_prometheus) {
    std::cout << outbox::prometheus_text(db, {.destination = globals.destination});
  } else if (globals.is_json) {
    std::cout << line_of(json_of(status, globals));
  } else {
    print_screen(status, globals);
  }
  return done;
}

}  // namespace

void add_status(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("status",
                                           "The queue on one screen\n\n"
                                           "  outbox status --db app.db\n"
                                           "  outbox status --db app.db --json\n"
                                           "  outbox status --db app.db --prometheus");
  const auto is_for_prometheus = std::make_shared<bool>(false);
  command->add_flag("--prometheus", *is_for_prometheus, "Print the Prometheus text format");
  command->callback([&globals, &action, is_for_prometheus] {
    action = [&globals, is_for_prometheus] { return show(*is_for_prometheus, globals); };
  });
}

}  // namespace cli

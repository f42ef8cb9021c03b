#include "outbox/inspect.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "events_json.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "mask.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

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
  json["oldest_due_age_ms"] =
      counts.oldest_due_age ? Json(counts.oldest_due_age->count()) : Json(nullptr);
}

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
    json["hold"] = {{"kind", hold->kind},
                    {"reason", shown(hold->reason, globals)},
                    {"since", rfc3339(hold->since)},
                    {"until", rfc3339(hold->until)},
                    {"tries", hold->tries}};
  }
  if (const auto& dispatcher = destination.dispatcher) {
    json["dispatcher"] = {{"pid", dispatcher->pid},
                          {"host", dispatcher->host},
                          {"since", rfc3339(dispatcher->since)},
                          {"last_round", rfc3339(dispatcher->last_round)}};
  }
  json["was_ever_served"] = destination.was_ever_served;
  return json;
}

void print_json(const outbox::Status& status, const Globals& globals) {
  Json json{{"schema", "outbox.status/1"}};
  put_counts(json, status.counts);
  json["destinations"] = Json::array();
  for (const auto& destination : status.destinations) {
    json["destinations"].push_back(json_of(destination, globals));
  }
  std::cout << line_of(json);
}

std::string dispatcher_text(const outbox::DestinationStatus& destination) {
  if (!destination.dispatcher) return destination.was_ever_served ? "none running" : "never served";
  const auto since = std::chrono::floor<std::chrono::milliseconds>(
      std::chrono::system_clock::now() - destination.dispatcher->since);
  return "pid " + std::to_string(destination.dispatcher->pid) + ", for " + how_long(since);
}

std::string table_of(const outbox::Status& status) {
  std::vector<std::vector<std::string>> rows = {{"destination", "pending", "due", "waiting",
                                                 "retrying", "dead", "oldest due", "delivered",
                                                 "dispatcher"}};
  for (const auto& destination : status.destinations) {
    const outbox::Counts& counts = destination.counts;
    rows.push_back({destination.name, grouped(counts.pending), grouped(counts.due),
                    grouped(counts.waiting), grouped(counts.retrying), grouped(counts.dead),
                    counts.oldest_due_age ? how_long(*counts.oldest_due_age) : "-",
                    grouped(counts.delivered_total), dispatcher_text(destination)});
  }
  return table(rows);
}

std::string hold_text(const outbox::Hold& hold, const Globals& globals) {
  const auto wait =
      std::chrono::floor<std::chrono::milliseconds>(hold.until - std::chrono::system_clock::now());
  return escaped(shown(hold.reason, globals)) + " since " + when(hold.since, globals) + ", " +
         (wait.count() > 0 ? "next try in " + how_long(wait) : "next try due");
}

void print_notes(const outbox::DestinationStatus& destination, const Globals& globals) {
  if (const auto& paused = destination.paused) {
    std::cout << attention("  pause  " + destination.name + ": since " +
                               when(paused->since, globals) + ", " +
                               escaped(shown(paused->reason, globals)),
                           globals)
              << "\n";
  }
  if (const auto& hold = destination.hold) {
    std::cout << attention("  hold   " + destination.name + ": " + hold_text(*hold, globals),
                           globals)
              << "\n";
  }
  const auto& dispatcher = destination.dispatcher;
  if (dispatcher &&
      std::chrono::system_clock::now() - dispatcher->last_round > std::chrono::minutes{1}) {
    std::cout << attention("! " + destination.name + ": its dispatcher's last round was at " +
                               when(dispatcher->last_round, globals),
                           globals)
              << "\n";
  }
  if (!destination.was_ever_served && destination.counts.pending > 0) {
    std::cout << attention("! no dispatcher has ever served " + destination.name +
                               ": a typo, or is it still to be started?",
                           globals)
              << "\n";
  }
}

void print_screen(const outbox::Status& status, const Globals& globals) {
  std::cout << "outbox  " << escaped(std::filesystem::path{globals.db}.filename().native())
            << "   schema " << status.schema_version;
  struct stat wal {};  // stat, never open: closing it would drop SQLite's locks
  if (stat((globals.db + "-wal").c_str(), &wal) == 0 && wal.st_size > 0) {
    std::cout << "   wal " << how_large(static_cast<std::uint64_t>(wal.st_size));
  }
  std::cout << "\n\n";
  if (status.destinations.empty()) {
    std::cout << "  no event has been queued and no dispatcher has run yet\n";
    return;
  }
  std::cout << table_of(status);
  for (const auto& destination : status.destinations) print_notes(destination, globals);
  if (status.counts.dead > 0) {
    std::cout << attention(
                     "! " + grouped(status.counts.dead) +
                         (status.counts.dead == 1 ? " dead event needs" : " dead events need") +
                         " a decision:  outbox list --state dead",
                     globals)
              << "\n";
  }
}

ExitCode show(const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  const outbox::Status status = outbox::status(db, globals.destination);
  if (!globals.destination.empty() && status.destinations.empty()) {
    throw Failure{no_match, "no event and no dispatcher has ever used the destination " +
                                globals.destination};
  }
  globals.is_json ? print_json(status, globals) : print_screen(status, globals);
  return done;
}

}  // namespace

void add_status(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("status",
                                           "The queue on one screen\n\n"
                                           "  outbox status --db app.db\n"
                                           "  outbox status --db app.db --json");
  command->callback([&globals, &action] { action = [&globals] { return show(globals); }; });
}

}  // namespace cli

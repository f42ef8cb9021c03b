// destinations and move: which there are, and out of which events go to another.

#include <iostream>
#include <memory>

#include "confirm.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "outbox/inspect.hpp"
#include "outbox/operate.hpp"
#include "progress.hpp"
#include "status.hpp"

namespace cli {

namespace {

// In one word, what matters most.
std::string state_of(const outbox::DestinationStatus& destination) {
  if (destination.paused) return "paused";
  if (destination.hold) return std::string{"on hold: "} + to_string(destination.hold->kind);
  if (!destination.was_ever_served) return "never served";
  return destination.dispatcher ? "delivering" : "no dispatcher";
}

struct DestinationsFlags {
  bool names_only = false;
};

ExitCode destinations(const DestinationsFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  const outbox::Status status = outbox::status(db, globals.destination);
  std::vector<std::vector<std::string>> rows = {
      {"destination", "state", "pending", "dead", "discarded", "stored", "delivered total"}};
  for (const outbox::DestinationStatus& destination : status.destinations) {
    if (flags.names_only) {
      std::cout << escaped(destination.name) << "\n";
    } else if (globals.is_json) {
      Json json = json_of(destination, globals);
      json["state"] = state_of(destination);
      std::cout << line_of(json);
    }
    const outbox::Counts& counts = destination.counts;
    rows.push_back({escaped(destination.name), state_of(destination), grouped(counts.pending),
                    grouped(counts.dead), grouped(counts.discarded), grouped(counts.delivered),
                    grouped(counts.delivered_total)});
  }
  if (status.destinations.empty()) {
    std::cerr << "no event has been queued and no dispatcher has run yet\n";
    return no_match;
  }
  if (!flags.names_only && !globals.is_json) std::cout << table(rows);
  return done;
}

struct MoveFlags {
  std::string to = {};
  std::string reason = {};
};

ExitCode move(const MoveFlags& flags, const Globals& globals) {
  if (globals.destination.empty()) {
    throw Failure{usage, "move: give --destination NAME, whose events are to be moved"};
  }
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  const std::string from = require_there(db, globals).name;
  // No error, since a destination may be renamed; but a typing mistake should be seen.
  const std::string doubt = flags.to == "track" ? "" : doubt_about(db, flags.to);
  const outbox::ChangeNote note = note_of(flags.reason);
  outbox::MoveReport report = outbox::move_events(db, from, flags.to, note, outbox::Mode::dry_run);
  if (!globals.is_dry_run) {
    confirm(globals, "move " + events_text(report.events) + " from " + from + " to " + flags.to +
                         ", where they are sent?");
    Progress progress{"moved", report.events};
    report = outbox::move_events(db, from, flags.to, note, outbox::Mode::apply,
                                 [&progress](std::int64_t so_far) { progress.show(so_far); });
  }
  if (globals.is_json) {
    Json json{{"moved", report.events},
              {"duplicates", report.duplicates},
              {"removed_destination", report.is_removed}};
    if (globals.is_dry_run) json["dry_run"] = true;
    std::cout << json.dump() << "\n";
  } else {
    std::cout << (globals.is_dry_run ? "would move " + events_text(report.events)
                                     : events_text(report.events) + " moved")
              << " from " << from << " to " << flags.to << "\n";
    if (report.is_removed) std::cout << from << " is removed\n";
  }
  if (!doubt.empty()) std::cerr << "! " << doubt << "\n";
  if (report.duplicates > 0) {
    std::cerr << "! " << events_text(report.duplicates) << " left in " << from << ": " << flags.to
              << " has events with the same dedupe keys\n";
  }
  return report.events > 0 || report.is_removed || globals.is_dry_run ? done : no_match;
}

}  // namespace

void add_destinations(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("destinations",
                         "The destinations, each with its state and its use\n\n"
                         "  outbox destinations --db app.db\n"
                         "  outbox move --db app.db --destination trak --to track   # a typo");
  const auto flags = std::make_shared<DestinationsFlags>();
  command->add_flag("--names", flags->names_only, "Print the names only, one a line");
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return destinations(*flags, globals); };
  });
}

void add_move(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "move",
      "Pending and dead events go to another destination\n\n"
      "Ids and payloads stay. Dead ones stay dead: retry them there. A destination that is being\n"
      "served must be paused first. One that has nothing left, and no dispatcher, is removed.\n\n"
      "  outbox move --db app.db --destination trak --to track --dry-run\n"
      "  outbox move --db app.db --destination trak --to track --reason typo --yes");
  const auto flags = std::make_shared<MoveFlags>();
  command->add_option("--to", flags->to, "Their new destination")->required()->check(not_empty);
  command->add_option("--reason", flags->reason, "Why, for the audit")->check(not_empty);
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return move(*flags, globals); }; });
}

}  // namespace cli

// pause and resume.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "confirm.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "outbox/inspect.hpp"
#include "outbox/operate.hpp"

namespace cli {

namespace {

std::optional<outbox::DestinationStatus> status_of(SQLite::Database& db,
                                                   const std::string& destination) {
  outbox::Status status = outbox::status(db, destination);
  if (status.destinations.empty()) return std::nullopt;
  return std::move(status.destinations.front());
}

void report(const Globals& globals, const std::string& destination, bool is_paused) {
  if (globals.is_json) {
    nlohmann::ordered_json json{{"destination", destination}, {"paused", is_paused}};
    if (globals.is_dry_run) json["dry_run"] = true;
    std::cout << json.dump() << "\n";
    return;
  }
  const std::string verb = is_paused ? "pause" : "resume";
  std::cout << (globals.is_dry_run ? "would " + verb + " " + destination
                                   : destination + " is " + verb + "d")
            << (is_paused ? ": nothing is sent until `outbox resume`; events are kept\n" : "\n");
}

ExitCode pause(const std::string& reason, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::write);
  const std::string destination = globals.destination_to_send();
  const auto before = status_of(db, destination);
  if (!globals.is_dry_run) {
    confirm(globals, "pause " + destination + "?");
    const outbox::ChangeNote note = note_of(reason);
    outbox::pause(db, destination, note.reason, note.actor);
  }
  if (!before || (!before->was_ever_served && before->counts.enqueued == 0)) {
    std::cerr << "! no dispatcher has ever served " << destination
              << " and no event was queued for it: a typo?\n";
  }
  report(globals, destination, true);
  return done;
}

ExitCode resume(const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::write);
  const std::string destination = globals.destination_to_send();
  const auto before = status_of(db, destination);
  if (!globals.is_dry_run) {
    confirm(globals, "resume " + destination + "?");
    outbox::resume(db, destination, note_of().actor);
  }
  if (!before || !before->paused) std::cerr << "! " << destination << " was not paused\n";
  report(globals, destination, false);
  return done;
}

}  // namespace

void add_pause(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "pause",
      "Send nothing to a destination until `resume`; every process obeys at once\n\n"
      "  outbox pause --db app.db --reason 'their maintenance' --yes\n"
      "  outbox pause --db app.db --destination crm --yes");
  const auto reason = std::make_shared<std::string>();
  command->add_option("--reason", *reason, "Why, for people and the audit");
  command->callback([&globals, &action, reason] {
    action = [&globals, reason] { return pause(*reason, globals); };
  });
}

void add_resume(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("resume",
                                           "End a pause\n\n"
                                           "  outbox resume --db app.db --yes");
  command->callback([&globals, &action] { action = [&globals] { return resume(globals); }; });
}

}  // namespace cli

// pause, resume and nudge: what people tell a destination's dispatcher.

#include <iostream>
#include <memory>

#include "confirm.hpp"
#include "destination.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/operate.hpp"

namespace cli {

namespace {

void report(const Globals& globals, Json json, const std::string& text) {
  if (globals.is_json) {
    if (globals.is_dry_run) json["dry_run"] = true;
    std::cout << json.dump() << "\n";
  } else {
    std::cout << text << "\n";
  }
}

struct PauseFlags {
  std::string reason = {};
  bool is_new = false;
};

// A pause that is there stays as it is, unless it is given another reason; then the old one is
// told.
bool is_changed(const outbox::DestinationStatus& before, const PauseFlags& flags,
                const Globals& globals) {
  if (!before.paused) return true;
  const std::string reason = shown(before.paused->reason, globals);
  std::cerr << "! " << before.name << " is paused since " << when(before.paused->since, globals)
            << (reason.empty() ? ", without a reason" : ", because: " + escaped(reason)) << "\n";
  return !flags.reason.empty() && flags.reason != before.paused->reason;
}

ExitCode pause(const PauseFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  const outbox::DestinationStatus before = require_known(db, globals, flags.is_new);
  if (is_changed(before, flags, globals) && !globals.is_dry_run) {
    confirm(globals, (before.paused ? "give the pause of " : "pause ") + before.name +
                         (before.paused ? " another reason?" : "?"));
    const outbox::ChangeNote note = note_of(flags.reason);
    outbox::pause(db, before.name, note);
  }
  report(globals, {{"destination", before.name}, {"paused", true}},
         (globals.is_dry_run ? "would pause " + before.name : before.name + " is paused") +
             ": nothing is sent until `" + hint(globals, "resume --destination " + before.name) +
             "`; events are kept");
  return done;
}

ExitCode resume(const Globals& globals) {
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  const outbox::DestinationStatus before = require_there(db, globals);
  if (!before.paused) std::cerr << "! " << before.name << " was not paused\n";
  if (before.paused && !globals.is_dry_run) {
    confirm(globals, "resume " + before.name + "?");
    outbox::resume(db, before.name, note_of());
  }
  if (!before.paused && !globals.is_json && !globals.is_dry_run) return done;
  report(globals, {{"destination", before.name}, {"paused", false}},
         globals.is_dry_run
             ? (before.paused ? "would resume " : "would change nothing of ") + before.name
             : before.name + " is resumed");
  return done;
}

ExitCode nudge(const Globals& globals) {
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  const outbox::DestinationStatus before = require_there(db, globals);
  if (!before.dispatcher) {
    throw Failure{no_match, "no dispatcher of " + before.name + " is running; `" +
                                hint(globals, "drain --destination " + before.name) +
                                " …` sends what is due"};
  }
  if (!globals.is_dry_run) outbox::nudge(db, before.name);
  const outbox::ActiveDispatcher& dispatcher = *before.dispatcher;
  const std::string name = name_of(dispatcher);
  const bool has_trouble = !dispatcher.trouble.empty() || !dispatcher.database_trouble.empty();
  const bool tries = !before.paused && !has_trouble;
  std::string text = globals.is_dry_run ? "would nudge " + name : name + " tries now";
  if (before.paused) {
    text = before.name + " is paused: " + name + " sends nothing until `" +
           hint(globals, "resume --destination " + before.name) + "`";
  } else if (!dispatcher.trouble.empty()) {
    text = name + " does nothing: " + with_hints(globals, dispatcher.trouble);
  } else if (has_trouble) {
    text =
        name + " cannot use the database: " + escaped(shown(dispatcher.database_trouble, globals));
  }
  report(globals, {{"destination", before.name}, {"pid", dispatcher.pid}, {"tries_now", tries}},
         text);
  return tries ? done : no_match;
}

}  // namespace

void add_pause(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("pause",
                         "Send nothing to a destination until `resume`, from any process\n\n"
                         "A request that is under way still ends.\n\n"
                         "  outbox pause --db app.db --reason 'their maintenance' --yes\n"
                         "  outbox pause --db app.db --destination crm --yes");
  const auto flags = std::make_shared<PauseFlags>();
  command->add_option("--reason", flags->reason, "Why, for people and the audit")->check(not_empty);
  add_new_flag(*command, flags->is_new);
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return pause(*flags, globals); };
  });
}

void add_resume(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("resume",
                                           "End a pause\n\n"
                                           "  outbox resume --db app.db --yes");
  command->callback([&globals, &action] { action = [&globals] { return resume(globals); }; });
}

void add_nudge(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("nudge",
                         "Make the running dispatcher try now, even during a hold\n\n"
                         "With one single event. A pause stays. Exit 3 when nobody dispatches.\n\n"
                         "  outbox nudge --db app.db\n"
                         "  outbox nudge --db app.db --destination crm");
  command->callback([&globals, &action] { action = [&globals] { return nudge(globals); }; });
}

}  // namespace cli

// outbox: inspect and operate the queue. Each command is a file of its own; this one parses, and
// turns what goes wrong into a message and an exit code.

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <sstream>

#include "format.hpp"
#include "globals.hpp"
#include "outbox/errors.hpp"
#include "outbox/version.hpp"

namespace cli {

namespace {

// The list of commands shows the first line of each description; the examples below it are for the
// command's own help.
class Formatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string description = command->get_description();
    std::stringstream line;
    CLI::detail::format_help(line, command->get_name(),
                             description.substr(0, description.find('\n')), get_column_width());
    return line.str();
  }
};

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--db", globals.db, "The app's database (or set OUTBOX_DB)")->envname("OUTBOX_DB");
  app.add_option("--destination", globals.destination,
                 "Destination; default: all for reading, track for sending");
  app.add_flag("--json", globals.is_json, "Print JSON");
  app.add_flag("--no-color", globals.has_no_color, "No colour; so does NO_COLOR");
  app.add_flag("--utc", globals.is_utc, "Times in UTC");
  app.add_flag("--reveal", globals.reveals, "Show personal data unmasked");
  app.add_flag("--yes", globals.is_yes, "Do not ask");
  app.add_flag("--dry-run", globals.is_dry_run, "Say what would be done, and do nothing");
  app.add_flag("--allow-other-user", globals.allows_other_user,
               "Run although the database belongs to another user");
}

ExitCode print_version(const Globals& globals) {
  if (globals.is_json) {
    std::cout << "{\"version\":\"" << outbox::version()
              << "\",\"schema\":" << outbox::schema_version() << ",\"sqlite\":\""
              << sqlite3_libversion() << "\"}\n";
  } else {
    std::cout << "outbox " << outbox::version() << "   schema " << outbox::schema_version()
              << "   SQLite " << sqlite3_libversion() << "\n";
  }
  return done;
}

void add_help_and_version(CLI::App& app, const Globals& globals, Action& action) {
  auto* const help = app.add_subcommand("help", "Help, of a command if one is named");
  auto* const topic = help->add_option("COMMAND", "A command");
  help->callback([&app, &action, topic] {
    action = [&app, topic] {
      try {
        const CLI::App* const command =
            topic->count() == 0 ? &app : app.get_subcommand(topic->as<std::string>());
        // App::help would describe the command that was given, which is this one.
        const std::string name = command == &app ? "outbox" : "outbox " + command->get_name();
        std::cout << command->get_formatter()->make_help(command, name, CLI::AppFormatMode::Normal);
      } catch (const CLI::OptionNotFound&) {
        throw Failure{usage, "no command of that name; see `outbox help`"};
      }
      return done;
    };
  });
  app.add_subcommand("version", "Versions of outbox, its schema and SQLite")
      ->callback([&globals, &action] { action = [&globals] { return print_version(globals); }; });
  app.set_version_flag("--version", std::string{"outbox "} + outbox::version());
}

ExitCode fail(ExitCode code, const std::string& what) {
  const std::string_view prefix = "outbox: ";
  std::cerr << (what.rfind(prefix, 0) == 0 ? "" : prefix) << escaped(what) << "\n";
  return code;
}

ExitCode code_of_sqlite(int code) {
  const int primary = code & 0xFF;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED ? busy : failed;
}

ExitCode run(const Action& action) {
  try {
    return action();
  } catch (const Failure& failure) {
    return fail(failure.code(), failure.what());
  } catch (const outbox::schema_error& error) {
    return fail(schema, error.what());
  } catch (const outbox::database_error& error) {
    return fail(code_of_sqlite(error.code()), error.what());
  } catch (const SQLite::Exception& error) {
    return fail(code_of_sqlite(error.getErrorCode()), error.what());
  } catch (const std::invalid_argument& error) {
    return fail(usage, error.what());
  } catch (const std::exception& error) {
    return fail(failed, error.what());
  }
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  // At once: what is under way is as safe as in a crash.
  std::signal(SIGINT, [](int) { _exit(cli::interrupted); });

  cli::Globals globals;
  cli::Action action;
  CLI::App app{
      "Inspect and operate the event outbox of an app's SQLite database.\n\n"
      "  outbox status --db app.db\n"
      "  outbox enqueue --db app.db invite.json\n"
      "  OUTBOX_TOKEN=… outbox drain --db app.db\n",
      "outbox"};
  app.formatter(std::make_shared<cli::Formatter>());
  app.get_formatter()->column_width(24);
  app.require_subcommand(0, 1);
  app.fallthrough();  // global options may stand behind the command
  cli::add_globals(app, globals);
  cli::add_status(app, globals, action);
  cli::add_list(app, globals, action);
  cli::add_show(app, globals, action);
  cli::add_explain(app, globals, action);
  cli::add_batches(app, globals, action);
  cli::add_enqueue(app, globals, action);
  cli::add_drain(app, globals, action);
  cli::add_run(app, globals, action);
  cli::add_retry(app, globals, action);
  cli::add_discard(app, globals, action);
  cli::add_requeue(app, globals, action);
  cli::add_pause(app, globals, action);
  cli::add_resume(app, globals, action);
  cli::add_prune(app, globals, action);
  cli::add_erase(app, globals, action);
  cli::add_migrate(app, globals, action);
  cli::add_help_and_version(app, globals, action);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage or invalid input, 3 nothing matched, 4 credentials\n"
      "refused, 5 database busy, 6 schema not migrated or newer, 130 interrupted.");
  try {
    app.parse(argc, argv);
    if (!action) throw CLI::RequiredError{"A command"};
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> rest = app.remaining();
    const bool is_command = app.get_subcommands().empty() && !rest.empty();
    return cli::fail(cli::usage, (is_command ? "no command " + rest.front() : error.what()) +
                                     std::string{"; see `outbox help`"});
  }
  const cli::ExitCode code = cli::run(action);
  std::cout.flush();
  if (!std::cout) return cli::fail(cli::failed, "cannot write to standard output");
  return code;
}

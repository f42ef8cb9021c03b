#include "command_line.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "failure.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "help.hpp"
#include "progress.hpp"

namespace cli {

namespace {

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--db", globals.db, "The app's database (or set OUTBOX_DB)")->envname("OUTBOX_DB");
  app.add_option("--destination", globals.destination,
                 "One destination. Default: all; track for enqueue, drain, run, nudge, pause "
                 "and resume; move must be told, and erase is for all")
      ->check(not_empty);
  app.add_flag("--json", globals.is_json, "Print JSON");
  app.add_flag("--no-color", globals.has_no_color, "No colour; so does NO_COLOR");
  app.add_flag("--utc", globals.is_utc, "Times in UTC");
  app.add_flag("--reveal", globals.reveals, "Show personal data unmasked");
  app.add_flag("--yes", globals.is_yes, "Do not ask");
  app.add_flag("--dry-run", globals.is_dry_run, "Say what would be done, and do nothing");
  app.add_option("--read-timeout", globals.read_timeout,
                 "Stop a read that returns no row for this long; default: 5m")
      ->envname("OUTBOX_READ_TIMEOUT")
      ->check(a_duration);
  app.add_flag("--allow-other-user", globals.allows_other_user,
               "Run although the database belongs to another user");
}

using Add = void (*)(CLI::App&, const Globals&, Action&);

// Adds commands that help shows together.
void add_group(CLI::App& app, const Globals& globals, Action& action, const char* title,
               std::initializer_list<Add> commands) {
  for (const Add add : commands) {
    const std::size_t before = app.get_subcommands({}).size();
    add(app, globals, action);
    app.get_subcommands({}).at(before)->group(title);
  }
}

void add_commands(CLI::App& app, const Globals& globals, Action& action) {
  add_group(app, globals, action, "Look",
            {add_status, add_list, add_show, add_explain, add_batches, add_watch, add_tail,
             add_check, add_doctor, add_export, add_audit, add_destinations});
#ifdef OUTBOX_SERVE
  add_group(app, globals, action, "Look", {add_serve});
#endif
  add_group(app, globals, action, "Send", {add_enqueue, add_drain, add_run, add_nudge});
  add_group(app, globals, action, "Change",
            {add_retry, add_discard, add_requeue, add_move, add_pause, add_resume, add_prune,
             add_erase, add_migrate});
  add_completion(app, action);
  add_help(app, globals, action);
}

// `--name=$VALUE` with a variable that was not set: CLI11 takes the next word as the value, which
// may be --dry-run. Else an empty variable counts as one that is not there.
void require_no_empty_words(const Globals& globals) {
  for (const std::string& word : globals.words) {
    if (word == "--") return;
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1) {
      throw CLI::ValidationError{word.substr(0, word.size() - 1), not_empty("")};
    }
  }
}

void require_no_empty_variables(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_envname();
    const char* const value = name.empty() ? nullptr : std::getenv(name.c_str());
    if (value != nullptr && *value == '\0' && option->count() == 0) {
      throw CLI::ValidationError{name, not_empty("")};
    }
  }
  for (const CLI::App* command : app.get_subcommands()) require_no_empty_variables(*command);
}

ExitCode fail(ExitCode code, const std::string& what) {
  std::cerr << "outbox: " << escaped(without_prefix(what)) << "\n";
  return code;
}

// The library names its option: the flag that sets it, if the command has one.
std::string with_flag(const CLI::App& app, const char* what) {
  const std::string problem = in_terms_of_flags(what);
  const std::string flag = "--" + problem.substr(0, problem.find(':'));
  const auto chosen = app.get_subcommands();
  const bool has_flag = !chosen.empty() && chosen[0]->get_option_no_throw(flag) != nullptr;
  return has_flag ? "--" + problem : what;
}

ExitCode run(const CLI::App& app, const Action& action, const Globals& globals) {
  try {
    return action();
  } catch (const std::invalid_argument& error) {
    return fail(usage, with_flag(app, error.what()));
  } catch (...) {
    const Failure failure = failure_in_hand(globals);
    return fail(failure.code(), failure.what());
  }
}

constexpr auto about =
    "Inspect and operate the event outbox of an app's SQLite database.\n\n"
    "  outbox status --db app.db\n"
    "  outbox explain --db app.db 8812\n"
    "  outbox enqueue --db app.db invite.json\n"
    "  OUTBOX_TOKEN=… outbox drain --db app.db\n";

constexpr auto footer =
    "Exit codes: 0 done, 1 failed, 2 usage or invalid input, 3 nothing matched, 4 credentials\n"
    "refused or none, 5 database busy, 6 schema not migrated or newer, 7 problems found or events\n"
    "died, 130 interrupted. check: 0 ok, 1 warning, 2 critical, 3 unknown.";

// For Nagios 1 is a warning, 2 critical, and 3 unknown.
ExitCode code_for(const CLI::App& app, ExitCode code) {
  const auto chosen = app.get_subcommands();
  const bool is_check = !chosen.empty() && chosen[0]->get_name() == "check";
  return is_check ? ExitCode{3} : code;
}

ExitCode fail_of_usage(const CLI::App& app, const Globals& globals, const std::string& what) {
  // A pager shows what stands on standard output, unless that is for another reader.
  const auto is_given = [&](const char* word) {
    return std::find(globals.words.begin(), globals.words.end(), word) != globals.words.end();
  };
  const bool is_check = code_for(app, usage) != usage;
  const std::string problem = usage_problem(app, what);
  if (is_check && !is_given("--json") && !is_given("--prometheus")) {
    std::cout << "OUTBOX UNKNOWN - wrong usage: " << problem << " |\n";
  }
  return code_for(app, fail(usage, problem));
}

// What is printed may not arrive: a full disk, a closed pipe.
ExitCode end_with(const CLI::App& app, ExitCode code) {
  std::cout.flush();
  if (std::cout) return code;
  return code_for(
      app, fail(failed, code == done ? "done, but the result could not be written to standard "
                                       "output"
                                     : "cannot write to standard output"));
}

}  // namespace

int run_command_line(int argc, char** argv) {
  end_at_interrupt();
  Globals globals;
  globals.words.assign(argv, argv + argc);
  Action action;
  CLI::App app{about, "outbox"};
  app.formatter(help_formatter());
  app.require_subcommand(0, 1);
  app.fallthrough();  // global options may stand behind the command
  add_globals(app, globals);
  add_commands(app, globals, action);
  app.footer(footer);
  try {
    require_no_empty_words(globals);
    app.parse(argc, argv);
    const bool needs_none = app.got_subcommand("help") || app.got_subcommand("completion");
    if (!needs_none) require_no_empty_variables(app);
    if (!action) throw CLI::RequiredError{"A command"};
  } catch (const CLI::Success& success) {
    app.exit(success);
    return end_with(app, done);
  } catch (const CLI::ParseError& error) {
    return fail_of_usage(app, globals, error.what());
  }
  return end_with(app, run(app, action, globals));
}

}  // namespace cli

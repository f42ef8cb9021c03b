#pragma once

// What every command shares: the global options, and the connection they lead to.

#include <SQLiteCpp/Database.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "exit_code.hpp"

namespace cli {

struct Globals {
  std::vector<std::string> words;  // of the command line, as they were given
  std::string db;
  std::string destination;  // empty: all for reading, "track" for sending
  bool is_json = false;
  bool has_no_color = false;
  bool is_utc = false;
  bool reveals = false;
  bool is_yes = false;
  bool is_dry_run = false;
  bool allows_other_user = false;
  std::string read_timeout = "5m";

  std::string destination_to_send() const { return destination.empty() ? "track" : destination; }
};

/// A command's body; returns the exit code.
using Action = std::function<ExitCode()>;

enum class Access { read, write, create };

/// Opens the database that `--db` or OUTBOX_DB names. Only `Access::create` may make it, in WAL
/// mode and readable by its owner alone. Throws: `Failure`.
SQLite::Database open_database(const Globals& globals, Access access);

/// What to add to SQLite's own words about trouble with the database: a full disk; else empty.
std::string cause_of_trouble(const Globals& globals);

/// A command to paste, on the same database: "outbox list --state dead --db app.db".
std::string hint(const Globals& globals, const std::string& command);

/// `text` with each `outbox …` in backticks made such a command.
std::string with_hints(const Globals& globals, const std::string& text);

// One file a command: each adds its subcommand to `app` and sets `action` when it is the one
// chosen.
void add_status(CLI::App& app, const Globals& globals, Action& action);
void add_list(CLI::App& app, const Globals& globals, Action& action);
void add_show(CLI::App& app, const Globals& globals, Action& action);
void add_explain(CLI::App& app, const Globals& globals, Action& action);
void add_batches(CLI::App& app, const Globals& globals, Action& action);
void add_audit(CLI::App& app, const Globals& globals, Action& action);
void add_destinations(CLI::App& app, const Globals& globals, Action& action);
void add_watch(CLI::App& app, const Globals& globals, Action& action);
void add_tail(CLI::App& app, const Globals& globals, Action& action);
void add_doctor(CLI::App& app, const Globals& globals, Action& action);
void add_export(CLI::App& app, const Globals& globals, Action& action);
void add_serve(CLI::App& app, const Globals& globals, Action& action);
void add_check(CLI::App& app, const Globals& globals, Action& action);
void add_enqueue(CLI::App& app, const Globals& globals, Action& action);
void add_drain(CLI::App& app, const Globals& globals, Action& action);
void add_run(CLI::App& app, const Globals& globals, Action& action);
void add_retry(CLI::App& app, const Globals& globals, Action& action);
void add_discard(CLI::App& app, const Globals& globals, Action& action);
void add_requeue(CLI::App& app, const Globals& globals, Action& action);
void add_move(CLI::App& app, const Globals& globals, Action& action);
void add_nudge(CLI::App& app, const Globals& globals, Action& action);
void add_pause(CLI::App& app, const Globals& globals, Action& action);
void add_resume(CLI::App& app, const Globals& globals, Action& action);
void add_prune(CLI::App& app, const Globals& globals, Action& action);
void add_erase(CLI::App& app, const Globals& globals, Action& action);
void add_migrate(CLI::App& app, const Globals& globals, Action& action);

}  // namespace cli

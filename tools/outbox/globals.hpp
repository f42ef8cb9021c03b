#pragma once

// What every command shares: the global options, and the connection they lead to.

#include <SQLiteCpp/Database.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "exit_code.hpp"

namespace cli {

struct Globals {
  std::string db;
  std::string destination;  // empty: all for reading, "track" for sending
  bool is_json = false;
  bool has_no_color = false;
  bool is_utc = false;
  bool reveals = false;
  bool is_yes = false;
  bool is_dry_run = false;
  bool allows_other_user = false;

  std::string destination_to_send() const { return destination.empty() ? "track" : destination; }
};

/// A command's body; returns the exit code.
using Action = std::function<ExitCode()>;

enum class Access { read, write, create };

/// Opens the database that `--db` or OUTBOX_DB names. Only `Access::create` may make it, readable
/// by its owner alone. Throws: `Failure`.
SQLite::Database open_database(const Globals& globals, Access access);

// One file a command: each adds its subcommand to `app` and sets `action` when it is the one
// chosen.
void add_status(CLI::App& app, const Globals& globals, Action& action);
void add_list(CLI::App& app, const Globals& globals, Action& action);
void add_show(CLI::App& app, const Globals& globals, Action& action);
void add_explain(CLI::App& app, const Globals& globals, Action& action);
void add_batches(CLI::App& app, const Globals& globals, Action& action);
void add_enqueue(CLI::App& app, const Globals& globals, Action& action);
void add_drain(CLI::App& app, const Globals& globals, Action& action);
void add_run(CLI::App& app, const Globals& globals, Action& action);
void add_retry(CLI::App& app, const Globals& globals, Action& action);
void add_discard(CLI::App& app, const Globals& globals, Action& action);
void add_requeue(CLI::App& app, const Globals& globals, Action& action);
void add_pause(CLI::App& app, const Globals& globals, Action& action);
void add_resume(CLI::App& app, const Globals& globals, Action& action);
void add_prune(CLI::App& app, const Globals& globals, Action& action);
void add_erase(CLI::App& app, const Globals& globals, Action& action);
void add_migrate(CLI::App& app, const Globals& globals, Action& action);

}  // namespace cli

#pragma once

// Help, the man page and completion: all from the same description of the commands.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "globals.hpp"

namespace cli {

/// The layout of help: examples first, the global options last.
std::shared_ptr<CLI::FormatterBase> help_formatter();

void add_help(CLI::App& app, const Globals& globals, Action& action);
void add_completion(CLI::App& app, Action& action);

/// The man page outbox(1).
std::string man_page(const CLI::App& app);

/// The commands that people see, in the order in which help shows them.
std::vector<const CLI::App*> commands_of(const CLI::App& app);
/// Options and flags that people see, but for --help.
std::vector<const CLI::Option*> options_of(const CLI::App& app);

/// What was wrong with the arguments, with a suggestion where a word is misspelt.
std::string usage_problem(const CLI::App& app, const std::string& what);

}  // namespace cli

// What the user typed: parsed, run, and what goes wrong turned into a message and an exit code.

#pragma once

namespace cli {

/// Runs the command that `argv` names. Returns the exit code of the process.
int run_command_line(int argc, char** argv);

}  // namespace cli

#pragma once

// What `run` serves, and how: by flags, the environment, or a file.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "globals.hpp"
#include "sending.hpp"

namespace cli {

struct RunFlags {
  SendingFlags sending = {};
  std::string config = {};
  std::string grace = "10s";
  std::string timeout = {};  // empty: never
  std::string metrics_file = {};
  std::string log_format = "text";
  bool logs_requests = false;
};

/// A destination that is served.
struct Served {
  std::string name;
  SendingFlags sending;
};

void add_run_options(CLI::App& command, RunFlags& flags);

/// Reads the file that `flags.config` names, if it names one: its first part into `flags` and
/// `globals` where nothing else was said, and a section for each destination, with the flags as
/// their defaults. Without sections it is the destination of the flags alone. Throws: `Failure`.
std::vector<Served> read_config(RunFlags& flags, Globals& globals);

}  // namespace cli

#pragma once

// The options that choose events, of `list` and of the commands that change many.

#include <CLI/CLI.hpp>
#include <string>

#include "globals.hpp"
#include "outbox/inspect.hpp"

namespace cli {

struct FilterFlags {
  outbox::EventFilter filter = {.limit = std::nullopt};
  std::string since = {};
  std::string until = {};
  bool all = false;
};

/// `instant` is what `--since` and `--until` are about, e.g. "Enqueued".
void add_filter_options(CLI::App& command, FilterFlags& flags, const std::string& instant);

/// Throws: `Failure` with the usage code for what is no time.
outbox::EventFilter filter_of(const FilterFlags& flags, const Globals& globals);

}  // namespace cli

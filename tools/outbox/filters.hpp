#pragma once

// The options that choose events, of `list` and of the commands that change many.

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "globals.hpp"
#include "outbox/inspect.hpp"

namespace cli {

struct FilterFlags {
  outbox::EventFilter filter = {};
  std::string state = {};
  std::string since = {};
  std::string until = {};
  std::int64_t limit = 0;  // 0: none was given
  bool all = false;
};

/// What the filters of a command are about.
struct FilterWords {
  const char* instant = "Enqueued";  // what `--since` and `--until` are about
  const char* states = nullptr;      // null: they are always the same, and have no error
};

void add_filter_options(CLI::App& command, FilterFlags& flags, const FilterWords& words);

/// Throws: `std::invalid_argument` for what is no state.
outbox::EventState state_named(const std::string& name);

/// For `check`: an event's id.
std::string event_id(const std::string& value);

/// `--limit` with 1 as the least.
CLI::Option* add_limit(CLI::App& command, std::int64_t& limit, const std::string& description);

/// Throws: `Failure` with the usage code for what is no time; `std::invalid_argument` for what is
/// no state.
outbox::EventFilter filter_of(const FilterFlags& flags, const Globals& globals);

/// None: no `--limit` was given.
std::optional<std::size_t> limit_of(const FilterFlags& flags);

}  // namespace cli

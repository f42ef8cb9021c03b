#include "run_config.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "format.hpp"
#include "help.hpp"

namespace cli {

namespace {

using Arguments = std::vector<std::string>;

// An option as on the command line, so that a file is checked by the same rules: one with several
// values, or that stands there twice, is given several times.
void add_to(Arguments& arguments, const CLI::ConfigItem& item) {
  for (const std::string& value : item.inputs) arguments.push_back("--" + item.name + "=" + value);
  if (item.inputs.empty()) arguments.push_back("--" + item.name + "=");
}

std::string flag_of(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

[[noreturn]] void refuse(const RunFlags& flags, const std::string& section,
                         const std::string& problem) {
  throw Failure{usage, escaped(flags.config) + (section.empty() ? "" : ": [" + section + "]") +
                           ": " + problem};
}

// What is wrong with `arguments`; empty: nothing. Never with a value: it may be a token that stands
// in the wrong place.
template <class Add>
std::string problem_of(Arguments arguments, Add add) {
  CLI::App options{"", "run"};
  options.set_help_flag();
  add(options);
  // What the environment says was heard on the command line already; the file is nearer.
  for (CLI::Option* option : options.get_options()) option->envname("");
  std::reverse(arguments.begin(), arguments.end());
  try {
    options.parse(Arguments{arguments});
    return {};
  } catch (const CLI::ParseError&) {
    const std::string flag = flag_of(arguments.front());
    const bool is_empty = arguments.front() == flag + "=";
    return usage_problem(options,
                         flag + (arguments.size() > 1 ? ": takes one value, and has several"
                                 : is_empty           ? ": is empty"
                                                      : ": has a value that it does not take (a "
                                                        "duration stands in quotes: \"30s\")"));
  }
}

// Parses `arguments` as options that `add` adds.
template <class Add>
void parse(const RunFlags& flags, const std::string& section, const Arguments& arguments, Add add) {
  // Alone: together with others an empty one would take the next as its value.
  for (const std::string& one : arguments) {
    if (!one.ends_with('=')) continue;
    const std::string problem = problem_of({one}, add);
    if (!problem.empty()) refuse(flags, section, problem);
  }
  if (problem_of(arguments, add).empty()) return;
  for (const std::string& one : arguments) {
    const std::string problem = problem_of({one}, add);
    if (!problem.empty()) refuse(flags, section, problem);
  }
  for (const std::string& one : arguments) {
    Arguments same;
    std::copy_if(arguments.begin(), arguments.end(), std::back_inserter(same),
                 [&one](const std::string& argument) { return flag_of(argument) == flag_of(one); });
    const std::string problem = problem_of(same, add);
    if (!problem.empty()) refuse(flags, section, problem);
  }
  refuse(flags, section, "its options exclude each other");
}

bool is_of_a_destination(const std::string& name) {
  CLI::App options;
  SendingFlags flags;
  add_sending_options(options, flags);
  return options.get_option_no_throw("--" + name) != nullptr;
}

bool is_of_all(const std::string& name) {
  CLI::App options;
  RunFlags flags;
  add_run_options(options, flags);
  return name == "db" || options.get_option_no_throw("--" + name) != nullptr;
}

constexpr auto section_begin = "++";  // what CLI11 calls the item

std::vector<CLI::ConfigItem> items_in(const RunFlags& flags) {
  std::error_code trouble;  // a missing file is found below
  if (std::filesystem::is_directory(flags.config, trouble)) refuse(flags, "", "is a folder");
  std::ifstream file{flags.config};
  if (!file) refuse(flags, "", "cannot be opened: " + std::generic_category().message(errno));
  try {
    std::vector<CLI::ConfigItem> items = CLI::ConfigTOML{}.from_config(file);
    // CLI11's marks of where a section ends; that of where one begins stays.
    std::erase_if(items, [](const CLI::ConfigItem& item) { return item.name == "--"; });
    // Never with the text: it may be a token that stands in the wrong place.
    const auto is_name = [](const CLI::ConfigItem& item) {
      return item.name == section_begin ||
             item.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
    };
    const auto wrong = std::find_if_not(items.begin(), items.end(), is_name);
    if (wrong != items.end()) {
      std::string name = wrong->name;
      std::replace(name.begin(), name.end(), '_', '-');
      refuse(flags, wrong->parents.empty() ? "" : wrong->parents.front(),
             is_of_a_destination(name) || is_of_all(name)
                 ? "write " + name + " with - and not with _"
                 : "a line is neither NAME = VALUE nor [DESTINATION]");
    }
    return items;
  } catch (const CLI::Error&) {
    refuse(flags, "", "is not TOML");
  }
}

// On the command line. CLI11 does not tell it from the environment, which is farther than the file.
bool was_given(const Globals& globals, const std::string& flag) {
  return std::any_of(globals.words.begin(), globals.words.end(), [&](const std::string& word) {
    return word == flag || word.starts_with(flag + "=");
  });
}

}  // namespace

void add_run_options(CLI::App& command, RunFlags& flags) {
  command
      .add_option("--grace", flags.grace,
                  "After SIGTERM, go on delivering what is due for at most this time (10s)")
      ->check(a_duration);
  command
      .add_option("--timeout", flags.timeout,
                  "End after this time, in the same way as after SIGTERM; default: never")
      ->check(a_duration);
  command
      .add_option("--metrics-file", flags.metrics_file,
                  "Write the Prometheus metrics to this file, every 15 s")
      ->check(not_empty);
  command.add_option("--log-format", flags.log_format, "text (default), or json: an object a line")
      ->check(CLI::IsMember({"text", "json"}));
  command.add_flag("--log-requests", flags.logs_requests, "Log each request that delivers, too");
}

std::vector<Served> read_config(RunFlags& flags, Globals& globals) {
  if (flags.config.empty()) return {{globals.destination_to_send(), flags.sending}};
  Arguments top;
  std::vector<std::pair<std::string, Arguments>> sections;
  for (const CLI::ConfigItem& item : items_in(flags)) {
    if (item.name == "config") refuse(flags, "", "config: a file does not name another one");
    if (item.parents.empty()) {
      if (is_of_a_destination(item.name)) {
        refuse(flags, "", item.name + " belongs to a destination: write it below [track], say");
      }
      if (!was_given(globals, "--" + item.name)) add_to(top, item);
      continue;
    }
    const std::string& name = item.parents.front();
    if (item.parents.size() > 1) refuse(flags, name, "a destination's name has no dot");
    if (item.name == section_begin) {
      const bool is_there = std::any_of(sections.begin(), sections.end(),
                                        [&](const auto& one) { return one.first == name; });
      if (is_there) refuse(flags, name, "stands there twice");
      sections.push_back({name, {}});
    } else if (sections.empty() || sections.back().first != name) {
      refuse(flags, name, "write [" + name + "], and its options below it");
    } else if (is_of_all(item.name)) {
      refuse(flags, name,
             item.name + " is about all destinations: write it above the first section");
    } else if (!was_given(globals, "--" + item.name))
      add_to(sections.back().second, item);
  }
  std::string db;
  parse(flags, "", top, [&](CLI::App& options) {
    options.add_option("--db", db);
    add_run_options(options, flags);
  });
  if (!db.empty() && !was_given(globals, "--db")) globals.db = db;
  std::vector<Served> served;
  for (auto& [name, arguments] : sections) {
    if (!globals.destination.empty() && globals.destination != name) continue;
    served.push_back({name, flags.sending});
    parse(flags, name, arguments,
          [&served](CLI::App& options) { add_sending_options(options, served.back().sending); });
  }
  if (!sections.empty() && served.empty()) {
    refuse(flags, "", "has no section [" + globals.destination + "]");
  }
  if (served.empty()) served.push_back({globals.destination_to_send(), flags.sending});
  return served;
}

}  // namespace cli

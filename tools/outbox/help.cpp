#include "help.hpp"

#include <sqlite3.h>

#include <iostream>
#include <memory>
#include <sstream>

#include "format.hpp"
#include "outbox/version.hpp"
#include "suggest.hpp"

namespace cli {

namespace {

// The list of commands shows the first line of each description; the examples below it are for the
// command's own help, which also shows the options that all commands share.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string description = command->get_description();
    std::stringstream line;
    CLI::detail::format_help(line, command->get_name(),
                             description.substr(0, description.find('\n')), get_column_width());
    return line.str();
  }

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, name, mode);
    const CLI::App* const parent = app->get_parent();
    if (parent == nullptr) return text;
    return text + make_group("Options of all commands", false,
                             parent->get_options([](const CLI::Option* option) {
                               return option->get_name() != "--help" &&
                                      option->get_name() != "--version" &&
                                      option->get_name() != "-h,--help";
                             }));
  }
};

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

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

std::string and_see(const std::string& suggestion, const std::string& help) {
  return suggestion.empty() ? "; see " + help : did_you_mean(suggestion) + " See " + help;
}

ExitCode print_help(const CLI::App& app, const std::string& topic) {
  for (const CLI::App* command : commands_of(app)) {
    if (command->get_name() != topic) continue;
    std::cout << help_formatter()->make_help(command, "outbox " + topic,
                                             CLI::AppFormatMode::Normal);
    return done;
  }
  if (!topic.empty()) {
    throw Failure{usage, "no command " + topic +
                             and_see(nearest(topic, names_of(commands_of(app))), "`outbox help`")};
  }
  // App::help would describe the command that was given, which is this one.
  std::cout << help_formatter()->make_help(&app, "outbox", CLI::AppFormatMode::Normal);
  return done;
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(24);
  return formatter;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) {
    return !command->get_name().empty() && !command->get_group().empty();
  });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  // Those of option groups too, which are nameless commands.
  for (const CLI::App* group :
       app.get_subcommands([](const CLI::App* command) { return command->get_name().empty(); })) {
    for (const CLI::Option* option : options_of(*group)) options.push_back(option);
  }
  for (const CLI::Option* option : app.get_options()) {
    const bool is_help = option->check_lname("help") || option->check_lname("version");
    if (!is_help && !option->get_group().empty()) options.push_back(option);
  }
  return options;
}

std::string usage_problem(const CLI::App& app, const std::string& what) {
  const std::vector<std::string> rest = app.remaining(true);
  const auto chosen = app.get_subcommands();
  const std::string word = rest.empty() ? "" : rest.front();
  const std::string help =
      chosen.empty() ? "`outbox help`" : "`outbox help " + chosen[0]->get_name() + "`";
  if (word.rfind("-", 0) == 0) {
    std::vector<std::string> known;
    std::vector<const CLI::Option*> options = options_of(app);
    if (!chosen.empty()) {
      for (const CLI::Option* option : options_of(*chosen[0])) options.push_back(option);
    }
    for (const CLI::Option* option : options) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    const std::string flag = word.substr(0, word.find('='));
    return "no option " + flag + (chosen.empty() ? "" : " of " + chosen[0]->get_name()) +
           and_see(nearest(flag, known), help);
  }
  if (chosen.empty() && !word.empty()) {
    return "no command " + word + and_see(nearest(word, names_of(commands_of(app))), help);
  }
  return what + and_see("", help);
}

void add_help(CLI::App& app, const Globals& globals, Action& action) {
  auto* const help = app.add_subcommand("help", "Help, of a command if one is named");
  const auto topic = std::make_shared<std::string>();
  const auto is_man_page = std::make_shared<bool>(false);
  help->add_option("COMMAND", *topic, "A command");
  help->add_flag("--man", *is_man_page, "Print the man page, as roff")->group("");
  help->group("More");
  help->callback([&app, &action, topic, is_man_page] {
    action = [&app, topic, is_man_page] {
      if (!*is_man_page) return print_help(app, *topic);
      std::cout << man_page(app);
      return done;
    };
  });
  app.add_subcommand("version", "Versions of outbox, its schema and SQLite")
      ->group("More")
      ->callback([&globals, &action] { action = [&globals] { return print_version(globals); }; });
  app.set_version_flag("--version", std::string{"outbox "} + outbox::version());
}

}  // namespace cli

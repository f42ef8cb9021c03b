// completion: scripts for bash, zsh and fish, from the same description of the commands as the
// help.

#include <iostream>
#include <memory>
#include <sstream>

#include "format.hpp"
#include "help.hpp"

namespace cli {

namespace {

constexpr auto states = "pending scheduled waiting retrying delivered dead discarded";
constexpr auto auths = "bearer x-api-key none";

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::string command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return joined(names);
}

bool takes_file(const std::string& flag) {
  for (const char* name : {"--db", "--token-file", "--ca-file", "--signing-key-file",
                           "--creds-file", "--client-certificate", "--client-key", "--config",
                           "--textfile", "--metrics-file", "--output"}) {
    if (flag == name) return true;
  }
  return false;
}

// A description's first line, for between single quotes.
std::string first_line(const std::string& description) {
  std::string text = description.substr(0, description.find('\n'));
  std::erase(text, '\'');
  return text;
}

// bash and zsh: which words may follow those that are there. `words` and `word` are the shell's.
std::string cases_of(const CLI::App& app) {
  std::ostringstream out;
  const std::string global = joined(flags_of(app));
  out << "  case $command in\n    '') offered='" << command_names(app) << " " << global << "' ;;\n"
      << "    help) offered='" << command_names(app) << "' ;;\n"
      << "    completion) offered='bash zsh fish' ;;\n";
  for (const CLI::App* command : commands_of(app)) {
    if (command->get_name() == "help" || command->get_name() == "completion") continue;
    out << "    " << command->get_name() << ") offered='" << joined(flags_of(*command)) << " "
        << global << "' ;;\n";
  }
  out << "  esac\n  case $previous in\n    --state) offered='" << states << "' ;;\n"
      << "    --auth) offered='" << auths << "' ;;\n"
      << "    --destination|--to) offered=$(outbox destinations --names ${database:+--db "
         "\"$database\"}"
         " 2>/dev/null) ;;\n    ";
  std::string files;
  for (const char* name : {"--db", "--token-file", "--ca-file", "--signing-key-file",
                           "--creds-file", "--client-certificate", "--client-key", "--config",
                           "--textfile", "--metrics-file", "--output"}) {
    files += (files.empty() ? "" : "|") + std::string{name};
  }
  out << files << ") offered= files=yes ;;\n  esac\n"
      << "  case $command in enqueue) case $current in -*) ;; *) files=yes ;; esac ;; esac\n";
  return out.str();
}

// Of the words before the cursor: the command, and the database for the names of destinations.
std::string walk_of(const CLI::App& app, const char* words) {
  std::string names;
  for (const CLI::App* command : commands_of(app)) {
    names += (names.empty() ? "" : "|") + command->get_name();
  }
  return "  for word in \"${" + std::string{words} + "}\"; do\n    case $word in " + names +
         ") if [ -z \"$command\" ]; then command=$word; fi ;; esac\n"
         "    if [ \"$before\" = --db ]; then database=$word; fi\n    before=$word\n  done\n";
}

std::string for_bash(const CLI::App& app) {
  return "# bash completion for outbox:  source <(outbox completion bash)\n_outbox() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local command= database= before= word offered= files=\n"
         "  local earlier=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n" +
         walk_of(app, "earlier[@]") + cases_of(app) +
         "  COMPREPLY=($(compgen -W \"$offered\" -- \"$current\"))\n"
         "  if [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$current\")); fi\n}\n"
         "complete -o filenames -F _outbox outbox\n";
}

std::string for_zsh(const CLI::App& app) {
  return "#compdef outbox\n# zsh completion for outbox:  source <(outbox completion zsh)\n"
         "_outbox() {\n"
         "  local current=${words[CURRENT]} previous=${words[CURRENT-1]}\n"
         "  local command= database= before= word offered= files=\n"
         "  local -a earlier\n  earlier=(\"${(@)words[2,CURRENT-1]}\")\n" +
         walk_of(app, "earlier[@]") + cases_of(app) +
         "  compadd -- ${=offered}\n  if [ -n \"$files\" ]; then _files; fi\n}\n"
         "compdef _outbox outbox\n";
}

std::string for_fish(const CLI::App& app) {
  std::ostringstream out;
  out << "# fish completion for outbox:  outbox completion fish | source\n"
         "complete -c outbox -f\n"
         "function __outbox_destinations\n"
         "  set -l words (commandline -opc)\n  set -l at (contains -i -- --db $words)\n"
         "  if test -n \"$at\"; and test (count $words) -gt $at\n"
         "    outbox destinations --names --db $words[(math $at + 1)] 2>/dev/null\n"
         "  else\n    outbox destinations --names 2>/dev/null\n  end\nend\n";
  const auto offer = [&out](const CLI::App& of, const std::string& when) {
    for (const CLI::Option* option : options_of(of)) {
      if (option->get_positional()) continue;
      out << "complete -c outbox" << when;
      for (const std::string& name : option->get_lnames()) out << " -l " << name;
      const std::string flag = option->get_lnames().empty() ? "" : "--" + option->get_lnames()[0];
      if (flag == "--state") out << " -x -a '" << states << "'";
      if (flag == "--auth") out << " -x -a '" << auths << "'";
      if (flag == "--destination" || flag == "--to") out << " -x -a '(__outbox_destinations)'";
      if (takes_file(flag)) out << " -r -F";
      out << " -d '" << first_line(option->get_description()) << "'\n";
    }
  };
  offer(app, "");
  for (const CLI::App* command : commands_of(app)) {
    const std::string& name = command->get_name();
    out << "complete -c outbox -n __fish_use_subcommand -a " << name << " -d '"
        << first_line(command->get_description()) << "'\n";
    offer(*command, " -n '__fish_seen_subcommand_from " + name + "'");
  }
  out << "complete -c outbox -n '__fish_seen_subcommand_from enqueue' -F\n"
      << "complete -c outbox -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
      << "complete -c outbox -n '__fish_seen_subcommand_from help' -a '" << command_names(app)
      << "'\n";
  return out.str();
}

}  // namespace

void add_completion(CLI::App& app, Action& action) {
  auto* const command =
      app.add_subcommand("completion",
                         "Completion of commands, flags, states and destinations, for a shell\n\n"
                         "  source <(outbox completion bash)\n"
                         "  outbox completion fish > ~/.config/fish/completions/outbox.fish");
  command->group("More");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, &action, shell] {
    action = [&app, shell] {
      std::cout << (*shell == "bash"  ? for_bash(app)
                    : *shell == "zsh" ? for_zsh(app)
                                      : for_fish(app));
      return done;
    };
  });
}

}  // namespace cli

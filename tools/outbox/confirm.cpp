#include "confirm.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "format.hpp"

namespace cli {

void confirm(const Globals& globals, const std::string& question) {
  if (globals.is_yes || globals.is_dry_run) return;
  if (!can_ask()) {
    throw Failure{usage, "would ask: " + question + " Nobody can answer here: give --yes"};
  }
  ask(question);
}

bool can_ask() {
  return isatty(STDIN_FILENO) != 0;
}

void ask(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) std::cerr << "\n";  // Ctrl-D
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Failure{failed, "nothing was changed"};
}

outbox::ChangeNote note_of(const std::string& reason) {
  const char* const sudo = std::getenv("SUDO_USER");
  const passwd* const user = getpwuid(geteuid());
  std::string actor = "uid " + std::to_string(geteuid());
  if (sudo != nullptr && *sudo != '\0') {
    actor = sudo;
  } else if (user != nullptr) {
    actor = user->pw_name;
  }
  return {.actor = actor, .reason = reason};
}

outbox::Mode run_of(const Globals& globals) {
  return globals.is_dry_run ? outbox::Mode::dry_run : outbox::Mode::apply;
}

std::string events_text(std::int64_t count) {
  return grouped(count) + (count == 1 ? " event" : " events");
}

}  // namespace cli

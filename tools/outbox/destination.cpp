#include "destination.hpp"

#include "suggest.hpp"

namespace cli {

outbox::DestinationStatus status_of(SQLite::Database& db, const std::string& name) {
  outbox::Status status = outbox::status(db, name);
  if (status.destinations.empty()) return {.name = name};
  return std::move(status.destinations.front());
}

void add_new_flag(CLI::App& command, bool& is_new) {
  command.add_flag("--new", is_new, "Take a destination that was never used before");
}

std::string doubt_about(SQLite::Database& db, const std::string& name) {
  std::vector<std::string> names;
  for (const outbox::DestinationStatus& destination : outbox::list_destinations(db)) {
    if (destination.name == name) return {};
    names.push_back(destination.name);
  }
  const std::string other = nearest(name, names);
  return "no event and no dispatcher has ever used the destination " + name + did_you_mean(other) +
         (other.empty() ? "." : "");
}

outbox::DestinationStatus require_known(SQLite::Database& db, const Globals& globals, bool is_new) {
  const std::string name = globals.destination_to_send();
  for (outbox::DestinationStatus& destination : outbox::list_destinations(db)) {
    if (destination.name == name) return std::move(destination);
  }
  outbox::DestinationStatus unknown = status_of(db, name);  // refuses what can be no name
  if (globals.destination.empty() || is_new) return unknown;
  throw Failure{usage, doubt_about(db, name) + " Give --new if it is a new one; `" +
                           hint(globals, "destinations") + "` lists them"};
}

}  // namespace cli

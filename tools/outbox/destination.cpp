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

namespace {

// `advice` is said of one that was never used; empty: it may be.
outbox::DestinationStatus known(SQLite::Database& db, const Globals& globals, ExitCode code,
                                const std::string& advice) {
  const std::string name = globals.destination_to_send();
  for (outbox::DestinationStatus& destination : outbox::list_destinations(db)) {
    if (destination.name == name) return std::move(destination);
  }
  outbox::DestinationStatus unknown = status_of(db, name);  // refuses what can be no name
  if (globals.destination.empty() || advice.empty()) return unknown;
  throw Failure{code, doubt_about(db, name) + advice};
}

std::string list_advice(const Globals& globals) {
  return "`" + hint(globals, "destinations") + "` lists them";
}

}  // namespace

outbox::DestinationStatus require_known(SQLite::Database& db, const Globals& globals, bool is_new) {
  return known(db, globals, usage,
               is_new ? "" : " Give --new if it is a new one; " + list_advice(globals));
}

outbox::DestinationStatus require_there(SQLite::Database& db, const Globals& globals) {
  return known(db, globals, usage, " " + list_advice(globals));
}

void require_used(SQLite::Database& db, const Globals& globals) {
  if (globals.destination.empty()) return;
  static_cast<void>(known(db, globals, no_match, " " + list_advice(globals)));
}

}  // namespace cli

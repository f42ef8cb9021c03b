#include <iostream>
#include <memory>

#include "events_json.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

struct ListFlags {
  outbox::EventFilter filter;
  std::string since;
  std::string until;
  std::size_t limit = 100;
  bool shows_all = false;
};

outbox::EventFilter filter_of(const ListFlags& flags, const Globals& globals) {
  outbox::EventFilter filter = flags.filter;
  filter.destination = globals.destination;
  if (!flags.since.empty()) filter.since = time_of(flags.since);
  if (!flags.until.empty()) filter.until = time_of(flags.until);
  filter.limit = flags.shows_all ? std::nullopt : std::optional{flags.limit};
  return filter;
}

void print_table(const std::vector<outbox::EventSummary>& events, const Globals& globals) {
  std::vector<std::vector<std::string>> rows = {
      {"id", "state", "event", "user", "group", "enqueued", "attempts", "error"}};
  const auto cell = [&globals](const std::string& text) { return escaped(shown(text, globals)); };
  for (const outbox::EventSummary& event : events) {
    rows.push_back({std::to_string(event.id), event.state, cell(event.event_name),
                    cell(event.user_id), cell(event.group_id), when(event.enqueued_at, globals),
                    std::to_string(event.attempts), cell(event.last_error)});
  }
  std::cout << table(rows);
}

ExitCode list(const ListFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  const std::vector<outbox::EventSummary> events =
      outbox::list_events(db, filter_of(flags, globals));
  if (globals.is_json) {
    for (const outbox::EventSummary& event : events) std::cout << line_of(json_of(event, globals));
  } else if (!events.empty()) {
    print_table(events, globals);
  }
  if (events.empty()) {
    std::cerr << "no event matches\n";
    return no_match;
  }
  if (!flags.shows_all && events.size() == flags.limit) {
    std::cerr << "the first " << flags.limit << "; --limit N or --all shows more\n";
  }
  return done;
}

}  // namespace

void add_list(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("list",
                         "Events, with filters\n\n"
                         "  outbox list --db app.db --state dead\n"
                         "  outbox list --db app.db --user user-1 --since 2h --json");
  const auto flags = std::make_shared<ListFlags>();
  outbox::EventFilter& filter = flags->filter;
  command->add_option("--state", filter.state,
                      "pending, scheduled, retrying, delivered, dead or discarded");
  command->add_option("--event", filter.event_name, "The event's name, e.g. invite_sent");
  command->add_option("--user", filter.user_id, "Its user_id");
  command->add_option("--group", filter.group_id, "Its group_id");
  command->add_option("--error", filter.error, "A part of its last error");
  command->add_option("--since", flags->since, "Enqueued since: RFC 3339, or 30m, 2h, 7d ago");
  command->add_option("--until", flags->until, "Enqueued before: likewise");
  command->add_option("--limit", flags->limit, "At most so many (100)");
  command->add_flag("--all", flags->shows_all, "All of them");
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return list(*flags, globals); }; });
}

}  // namespace cli

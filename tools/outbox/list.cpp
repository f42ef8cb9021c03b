#include <iostream>
#include <memory>

#include "events_json.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

constexpr std::size_t usual_limit = 100;

void print_table(const std::vector<outbox::EventSummary>& events, const Globals& globals) {
  std::vector<std::vector<std::string>> rows = {
      {"id", "state", "event", "user", "group", "enqueued", "attempts", "error"}};
  const auto cell = [&globals](const std::string& text) { return escaped(shown(text, globals)); };
  for (const outbox::EventSummary& event : events) {
    rows.push_back({std::to_string(event.id), event.state, cell(event.event_name),
                    cell(event.user_id), cell(event.group_id), when(event.enqueued_at, globals),
                    std::to_string(event.refusals + event.solo_failures), cell(event.last_error)});
  }
  std::cout << table(rows);
}

ExitCode list(const FilterFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  outbox::EventFilter filter = filter_of(flags, globals);
  if (!flags.all && !filter.limit) filter.limit = usual_limit;
  const std::vector<outbox::EventSummary> events = outbox::list_events(db, filter);
  if (globals.is_json) {
    for (const outbox::EventSummary& event : events) std::cout << line_of(json_of(event, globals));
  } else if (!events.empty()) {
    print_table(events, globals);
  }
  if (events.empty()) {
    std::cerr << "no event matches\n";
    return no_match;
  }
  if (events.size() == filter.limit) {
    std::cerr << "the first " << *filter.limit << "; --limit N or --all shows more\n";
  }
  return done;
}

}  // namespace

void add_list(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("list",
                         "Events, with filters; the first 100 unless --limit or --all says more\n\n"
                         "  outbox list --db app.db --state dead\n"
                         "  outbox list --db app.db --user user-1 --since 2h --json");
  const auto flags = std::make_shared<FilterFlags>();
  add_filter_options(*command, *flags, "Enqueued");
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return list(*flags, globals); }; });
}

}  // namespace cli

#include <iostream>
#include <memory>

#include "destination.hpp"
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
      {"id", "destination", "state", "event", "user", "group", "enqueued", "attempts", "error"}};
  const auto cell = [&globals](const std::string& text) { return escaped(shown(text, globals)); };
  for (const outbox::EventSummary& event : events) {
    rows.push_back({std::to_string(event.id), escaped(event.destination), to_string(event.state),
                    cell(event.event_name), cell(event.user_id), cell(event.group_id),
                    when(event.enqueued_at, globals),
                    std::to_string(event.refusals + event.solo_failures), cell(event.last_error)});
  }
  std::cout << table(rows);
}

struct ListFlags : FilterFlags {
  bool is_oldest_first = false;
};

ExitCode list(const ListFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  using outbox::Order;
  outbox::ListOptions options{
      .limit = limit_of(flags),
      .order = flags.is_oldest_first ? Order::oldest_first : Order::newest_first};
  if (flags.all && options.limit) throw Failure{usage, "--all and --limit: give one of them"};
  if (!flags.all && !options.limit) options.limit = usual_limit;
  const std::vector<outbox::EventSummary> events =
      outbox::list_events(db, filter_of(flags, globals), options);
  if (globals.is_json) {
    for (const outbox::EventSummary& event : events) std::cout << line_of(json_of(event, globals));
  } else if (!events.empty()) {
    print_table(events, globals);
  }
  if (events.empty()) {
    std::cerr << "no event matches\n";
    return no_match;
  }
  if (events.size() == options.limit) {
    std::cerr << "the " << (flags.is_oldest_first ? "oldest " : "newest ") << *options.limit
              << "; --limit N or --all shows more\n";
  }
  return done;
}

}  // namespace

void add_list(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("list",
                         "Events, with filters; the newest 100 unless told otherwise\n\n"
                         "  outbox list --db app.db --state dead\n"
                         "  outbox list --db app.db --user user-1 --since 2h --json");
  const auto flags = std::make_shared<ListFlags>();
  add_filter_options(
      *command, *flags,
      {.states = "pending, scheduled, waiting, retrying, delivered, dead or discarded"});
  command->add_flag("--oldest-first", flags->is_oldest_first, "In the order of their commits");
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return list(*flags, globals); }; });
}

}  // namespace cli

// retry, discard and requeue: the same three steps, find, ask and change.

#include <iostream>
#include <memory>
#include <vector>

#include "confirm.hpp"
#include "destination.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "outbox/inspect.hpp"
#include "progress.hpp"

namespace cli {

namespace {

using Change = std::int64_t (*)(outbox::ConnectionRef, const outbox::Selection&,
                                const outbox::ChangeNote&, outbox::Mode, const outbox::Progress&);

struct Verb {
  const char* name;
  const char* done;  // also the JSON member
  Change change;
};

constexpr Verb retry{"retry", "retried", outbox::retry};
constexpr Verb discard{"discard", "discarded", outbox::discard};
constexpr Verb requeue{"requeue", "requeued", outbox::requeue};

std::int64_t count(SQLite::Database& db, const Verb& verb, const outbox::Selection& selection,
                   const outbox::ChangeNote& note) {
  return verb.change(db, selection, note, outbox::Mode::dry_run, {});
}

struct ChangeFlags {
  std::vector<std::int64_t> ids = {};
  FilterFlags filters = {};
  std::string reason = {};
};

// Why some of the ids that were named are left alone.
void explain_rest(SQLite::Database& db, const Verb& verb, const outbox::Selection& selection,
                  const outbox::ChangeNote& note, const Globals& globals) {
  constexpr std::size_t lines_max = 20;
  for (std::size_t i = 0; i < std::min(selection.event_ids().size(), lines_max); ++i) {
    const std::int64_t id = selection.event_ids()[i];
    const auto one = outbox::Selection::ids({id}, globals.destination);
    if (count(db, verb, one, note) > 0) continue;
    const auto event = outbox::find_event(db, id);
    using outbox::EventState;
    std::cerr << "! " << id << ": ";
    if (!event) {
      std::cerr << "no such event\n";
    } else if (!globals.destination.empty() && event->event.destination != globals.destination) {
      std::cerr << "is for " << event->event.destination << ", not for " << globals.destination
                << "\n";
    } else if (event->event.state == EventState::delivered && verb.change == outbox::retry) {
      std::cerr << "delivered; `" << hint(globals, "requeue " + std::to_string(id))
                << "` would send it again\n";
    } else if ((event->event.state == EventState::pending ||
                event->event.state == EventState::waiting) &&
               verb.change == outbox::retry) {
      std::cerr << "pending and due already; `" << hint(globals, "explain " + std::to_string(id))
                << "` says what it waits for\n";
    } else {
      std::cerr << to_string(event->event.state) << ", destination " << event->event.destination
                << "\n";
    }
  }
}

// " (crm 3, track 9)" for a filter that finds events of several destinations: it is easily
// forgotten that there are others.
std::string spread_text(SQLite::Database& db, const Verb& verb, const outbox::Selection& selection,
                        const outbox::ChangeNote& note) {
  outbox::EventFilter filter = selection.filter();
  if (!selection.event_ids().empty() || !filter.destination.empty() || selection.limit()) return {};
  std::string text;
  std::size_t destinations = 0;
  for (const outbox::DestinationStatus& destination : outbox::list_destinations(db)) {
    filter.destination = destination.name;
    const auto of_it = selection.kind() == outbox::Selection::Kind::all
                           ? outbox::Selection::all(filter)
                           : outbox::Selection::matching(filter);
    const std::int64_t found = count(db, verb, of_it, note);
    if (found == 0) continue;
    text += (destinations++ == 0 ? "" : ", ") + escaped(destination.name) + " " + grouped(found);
  }
  return destinations > 1 ? " (" + text + ")" : "";
}

outbox::Selection selection_of(const ChangeFlags& flags, const Globals& globals) {
  outbox::EventFilter filter = filter_of(flags.filters, globals);
  const auto limit = limit_of(flags.filters);
  if (!flags.ids.empty()) {
    if (flags.filters.all) throw Failure{usage, "ids and --all: give one of them"};
    if (limit || filter != outbox::EventFilter{.destination = globals.destination}) {
      throw Failure{usage, "ids and a filter: give one of them"};
    }
    std::vector<std::int64_t> ids = flags.ids;  // the same one twice is told once
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return outbox::Selection::ids(std::move(ids), globals.destination);
  }
  return flags.filters.all ? outbox::Selection::all(std::move(filter), limit)
                           : outbox::Selection::matching(std::move(filter), limit);
}

ExitCode change(const Verb& verb, const ChangeFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  require_used(db, globals);
  const outbox::Selection selection = selection_of(flags, globals);
  const outbox::ChangeNote note = note_of(flags.reason);
  const std::int64_t found = count(db, verb, selection, note);
  explain_rest(db, verb, selection, note, globals);
  const std::string spread = found > 0 ? spread_text(db, verb, selection, note) : "";
  std::int64_t changed = found;
  if (found > 0 && !globals.is_dry_run) {
    confirm(globals, std::string{verb.name} + " " + events_text(found) + spread + "?");
    Progress progress{verb.done, found};
    changed = verb.change(db, selection, note, outbox::Mode::apply,
                          [&progress](std::int64_t so_far) { progress.show(so_far); });
  }
  if (globals.is_json) {
    Json json{{verb.done, changed}};
    if (globals.is_dry_run) json["dry_run"] = true;
    std::cout << json.dump() << "\n";
  } else if (changed > 0) {
    std::cout << (globals.is_dry_run
                      ? std::string{"would "} + verb.name + " " + events_text(changed)
                      : events_text(changed) + " " + verb.done)
              << spread << "\n";
  }
  if (changed > 0) return done;
  std::cerr << "no event to " << verb.name << "\n";
  return no_match;
}

void add_change(CLI::App& app, const Globals& globals, Action& action, const Verb& verb,
                const std::string& description, const FilterWords& words) {
  auto* const command = app.add_subcommand(verb.name, description);
  const auto flags = std::make_shared<ChangeFlags>();
  command->add_option("ID", flags->ids, "Events by id")->check(event_id);
  add_filter_options(*command, flags->filters, words);
  auto* const reason = command->add_option("--reason", flags->reason, "Why, for the audit");
  reason->check(not_empty);
  if (verb.change == outbox::discard) reason->required();
  command->callback([&globals, &action, flags, &verb] {
    action = [&globals, flags, &verb] { return change(verb, *flags, globals); };
  });
}

}  // namespace

void add_retry(CLI::App& app, const Globals& globals, Action& action) {
  add_change(app, globals, action, retry,
             "Send dead and refused events again: they become pending and due now\n\n"
             "Scheduled and discarded events only when named by id or by --state. Delivered ones\n"
             "never: see requeue.\n\n"
             "  outbox retry --db app.db 8813 8814\n"
             "  outbox retry --db app.db --state dead --error 'HTTP 400' --dry-run\n"
             "  outbox retry --db app.db --all --yes",
             {.states = "dead, retrying, scheduled or discarded"});
}

void add_discard(CLI::App& app, const Globals& globals, Action& action) {
  add_change(app, globals, action, discard,
             "Give up pending or dead events; they stay, as discarded\n\n"
             "  outbox discard --db app.db 8813 --reason 'no user'\n"
             "  outbox discard --db app.db --state dead --until 30d --reason 'too old' --yes",
             {.states = "pending, scheduled, waiting, retrying or dead"});
}

void add_requeue(CLI::App& app, const Globals& globals, Action& action) {
  add_change(
      app, globals, action, requeue,
      "Send delivered events again, byte-identical\n\n"
      "For a receiver that has lost them. Events whose payload was scrubbed are left out.\n\n"
      "  outbox requeue --db app.db --since 2026-11-23T10:00:00Z --until 2026-11-23T11:00:00Z\n"
      "  outbox requeue --db app.db --since 2h --event invite_sent --dry-run",
      {.instant = "Delivered"});
}

}  // namespace cli

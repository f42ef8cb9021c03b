// prune and erase: what leaves the database for good.

#include <algorithm>
#include <cctype>
#include <iostream>
#include <memory>

#include "confirm.hpp"
#include "destination.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "outbox/operate.hpp"
#include "progress.hpp"

namespace cli {

namespace {

void print(const Globals& globals, Json json, const std::string& text) {
  if (globals.is_json) {
    if (globals.is_dry_run) json["dry_run"] = true;
    std::cout << json.dump() << "\n";
  } else {
    std::cout << text << "\n";
  }
}

ExitCode prune(const std::string& older_than, const Globals& globals) {
  {
    SQLite::Database db = open_database(globals, Access::read);  // for its checks
    require_used(db, globals);
  }
  const outbox::PruneOptions options{.older_than = duration_of(older_than),
                                     .destination = globals.destination,
                                     .includes_discarded = true};
  const outbox::DatabaseFile file{globals.db};
  std::int64_t count = outbox::prune(file, options, note_of(), outbox::Mode::dry_run);
  if (count > 0 && !globals.is_dry_run) {
    confirm(globals,
            "remove " + events_text(count) + ", settled more than " + older_than + " ago?");
    Progress progress{"pruned", count};
    count = outbox::prune(file, options, note_of(), outbox::Mode::apply,
                          [&progress](std::int64_t so_far) { progress.show(so_far); });
  }
  print(globals, {{"pruned", count}},
        globals.is_dry_run ? "would prune " + events_text(count) : events_text(count) + " pruned");
  return count > 0 ? done : no_match;
}

struct EraseFlags {
  std::string email = {};
  std::string user = {};
  std::string group = {};
  std::string patience = "5s";
};

// What stands in the arguments is there for every user of the machine to see.
std::string value_of(const std::string& option) {
  if (option != "-") return option;
  std::string line;
  std::getline(std::cin, line);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0)
    line.pop_back();
  if (!can_ask() && !(std::cin >> std::ws).eof()) {  // at a terminal the next line is an answer
    throw Failure{usage, "standard input has more than one line: erase one after the other"};
  }
  return line;
}

outbox::Subject subject_of(const EraseFlags& flags) {
  if (!flags.email.empty()) return outbox::Subject::email(value_of(flags.email));
  return flags.user.empty() ? outbox::Subject::group(value_of(flags.group))
                            : outbox::Subject::user(value_of(flags.user));
}

void explain(const outbox::EraseReport& report) {
  if (const auto& dispatcher = report.may_still_be_sent_by) {
    std::cerr << "! may still be sent by pid " << dispatcher->pid
              << ", which has a request under way, or was stopped: erase again when it has gone on "
                 "or ended\n";
  }
  if (!report.is_wal_truncated) {
    std::cerr
        << "! not yet gone from the -wal file: someone is reading the database; erase again\n";
  }
}

constexpr std::size_t lines_max = 20;

std::string why_found(const std::vector<outbox::ErasableEvent>& found) {
  std::string text;
  for (std::size_t i = 0; i < std::min(found.size(), lines_max); ++i) {
    text += "\n  event " + std::to_string(found[i].id) + "  " + escaped(found[i].place);
  }
  if (found.size() > lines_max) {
    text += "\n  and " + std::to_string(found.size() - lines_max) + " more: --json lists them all";
  }
  return text;
}

Json json_of(const std::vector<outbox::ErasableEvent>& found) {
  auto list = Json::array();
  for (const auto& event : found) list.push_back({{"id", event.id}, {"place", event.place}});
  return list;
}

ExitCode erase(const EraseFlags& flags, const Globals& globals) {
  if (!globals.destination.empty()) throw Failure{usage, "erase is for all destinations at once"};
  static_cast<void>(open_database(globals, Access::read));  // for its checks
  const outbox::Subject subject = subject_of(flags);
  const outbox::DatabaseFile file{globals.db};
  const auto patience = duration_of(flags.patience);
  outbox::EraseReport report = outbox::erase(file, subject, note_of(), outbox::Mode::dry_run);
  if (!globals.is_dry_run) {
    // With nothing found too: an earlier one may have left pages in the WAL, and an event may come.
    confirm(globals, report.events > 0
                         ? "erase " + events_text(report.events) + " for good?"
                         : "no event was found. End an erasure that was interrupted, if "
                           "there is one, and erase what comes meanwhile?");
    report = outbox::erase(file, subject, note_of(), outbox::Mode::apply, patience);
  }
  const auto& dispatcher = report.may_still_be_sent_by;
  Json json = {{"erased", report.events},
               {"may_still_be_sent_by", dispatcher ? Json(dispatcher->pid) : nullptr},
               {"wal_truncated", report.is_wal_truncated && !globals.is_dry_run}};
  if (globals.is_dry_run) json["found"] = json_of(report.found);
  print(globals, std::move(json),
        globals.is_dry_run ? "would erase " + events_text(report.events) + why_found(report.found)
                           : events_text(report.events) + " erased");
  explain(report);
  if (dispatcher || !report.is_wal_truncated) return failed;
  if (report.went_on) std::cerr << "an earlier erasure is finished\n";
  return report.events > 0 || report.went_on ? done : no_match;
}

}  // namespace

void add_prune(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("prune",
                         "Remove delivered and discarded events that are old\n\n"
                         "Dispatchers remove delivered ones after 7 days by themselves.\n\n"
                         "  outbox prune --db app.db --older-than 30d --dry-run\n"
                         "  outbox prune --db app.db --older-than 1h --yes");
  const auto older_than = std::make_shared<std::string>("7d");
  command
      ->add_option("--older-than", *older_than,
                   "Delivered or discarded at least this long ago: 12h, 30d; default: 7d")
      ->check(a_duration);
  command->callback([&globals, &action, older_than] {
    action = [&globals, older_than] { return prune(*older_than, globals); };
  });
}

void add_erase(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "erase",
      "Remove every event of a person or group, and all traces of it\n\n"
      "Of any state, from the database and its WAL, overwritten. Exit 1 when something of it may\n"
      "still be sent or read; run it again then. Backups and replicas are yours to clean.\n\n"
      "  echo amy@achme.com | outbox erase --db app.db --email - --dry-run\n"
      "  echo amy@achme.com | outbox erase --db app.db --email - --yes\n"
      "  outbox erase --db app.db --user user-1 --yes");
  const auto flags = std::make_shared<EraseFlags>();
  auto* const who = command->add_option_group("who");
  const auto add = [who](const char* name, std::string& value, const char* about) {
    who->add_option(name, value, about)->check(not_empty);
  };
  add("--email", flags->email,
      "Everything that holds this address; -: read it from standard input");
  add("--user", flags->user, "Everything of this user_id; - likewise");
  add("--group", flags->group, "Everything of this group_id; - likewise");
  who->require_option(1);
  command->add_option("--wait", flags->patience, "For requests under way: 5s (default)")
      ->check(a_duration);
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return erase(*flags, globals); };
  });
}

}  // namespace cli

#include <iostream>
#include <memory>

#include "events_json.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/operate.hpp"

namespace cli {

namespace {

Json json_of(const outbox::AuditEntry& entry, const Globals& globals) {
  return {{"id", entry.id},
          {"at", rfc3339(entry.at)},
          {"action", entry.action},
          {"actor", shown(entry.actor, globals)},
          {"destination", text_or_null(entry.destination, globals)},
          {"subject", text_or_null(entry.subject, globals)},
          {"events", entry.events},
          {"reason", text_or_null(entry.reason, globals)}};
}

void print_table(const std::vector<outbox::AuditEntry>& entries, const Globals& globals) {
  std::vector<std::vector<std::string>> rows = {
      {"when", "who", "action", "destination", "events", "which", "reason"}};
  const auto cell = [&globals](const std::string& text) { return escaped(shown(text, globals)); };
  for (const outbox::AuditEntry& entry : entries) {
    rows.push_back({when(entry.at, globals), cell(entry.actor), cell(entry.action),
                    entry.destination.empty() ? "all" : cell(entry.destination),
                    grouped(entry.events), cell(entry.subject), cell(entry.reason)});
  }
  std::cout << table(rows);
}

ExitCode audit(std::int64_t limit, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  // One more, to know whether there are more.
  auto entries = outbox::list_audit(db, globals.destination, static_cast<std::size_t>(limit) + 1);
  const bool has_more = entries.size() > static_cast<std::size_t>(limit);
  if (has_more) entries.pop_back();
  if (globals.is_json) {
    for (const outbox::AuditEntry& entry : entries) std::cout << line_of(json_of(entry, globals));
  } else if (!entries.empty()) {
    print_table(entries, globals);
  }
  if (has_more) std::cerr << "the newest " << limit << "; --limit N shows more\n";
  if (entries.empty()) {
    std::cerr << "nobody has changed anything "
              << (globals.destination.empty() ? "" : "of " + escaped(globals.destination) + " ")
              << "yet\n";
  }
  return entries.empty() ? no_match : done;
}

}  // namespace

void add_audit(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("audit",
                                           "What people changed: the newest changes first\n\n"
                                           "  outbox audit --db app.db --limit 20");
  const auto limit = std::make_shared<std::int64_t>(100);
  add_limit(*command, *limit, "At most this many; default: 100");
  command->callback([&globals, &action, limit] {
    action = [&globals, limit] { return audit(*limit, globals); };
  });
}

}  // namespace cli

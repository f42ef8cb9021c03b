#include <iostream>
#include <memory>

#include "destination.hpp"
#include "events_json.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

ExitCode batches(std::int64_t limit, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  // One more, to know whether there are more.
  auto found = outbox::list_requests(db, globals.destination, static_cast<std::size_t>(limit) + 1);
  const bool has_more = found.size() > static_cast<std::size_t>(limit);
  if (has_more) found.pop_back();
  if (globals.is_json) {
    for (const outbox::RequestSummary& request : found) {
      std::cout << line_of(json_of(request, globals));
    }
  } else if (!found.empty()) {
    std::cout << table_of(found, globals);
  }
  if (has_more) std::cerr << "the newest " << limit << "; --limit N shows more\n";
  if (found.empty()) std::cerr << "no request has been made yet\n";
  return found.empty() ? no_match : done;
}

}  // namespace

void add_batches(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand("batches",
                                           "The request log: the newest requests first\n\n"
                                           "  outbox batches --db app.db --limit 20");
  const auto limit = std::make_shared<std::int64_t>(100);
  add_limit(*command, *limit, "At most this many (100)");
  command->callback([&globals, &action, limit] {
    action = [&globals, limit] { return batches(*limit, globals); };
  });
}

}  // namespace cli

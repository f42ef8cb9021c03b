#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "globals.hpp"
#include "outbox/migrate.hpp"
#include "outbox/version.hpp"

namespace cli {

namespace {

ExitCode report(const Globals& globals, int from, int to, bool is_change) {
  if (globals.is_json) {
    std::cout << nlohmann::ordered_json{{"from", from},
                                        {"to", to},
                                        {"needed", outbox::schema_version()}}
                     .dump()
              << "\n";
  } else if (from == outbox::schema_version()) {
    std::cout << "schema " << from << " is current\n";
  } else if (is_change) {
    std::cout << "schema " << from << " → " << to << "\n";
  } else {
    std::cout << "schema " << from << ", needed is " << outbox::schema_version()
              << ": run `outbox migrate`\n";
  }
  return done;
}

ExitCode check(const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  const int version = outbox::migrated_version(db);
  report(globals, version, version, false);
  return version == outbox::schema_version() ? done : schema;
}

ExitCode migrate(const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::create);
  const int from = outbox::migrated_version(db);
  const int to = outbox::migrate(db);
  report(globals, from, to, true);
  for (const outbox::HostProblem& problem : outbox::check_host(db)) {
    if (problem.name == "journal_mode") std::cerr << "! " << problem.advice << "\n";
  }
  return done;
}

}  // namespace

void add_migrate(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "migrate",
      "Create or upgrade the outbox's tables, and the database if need be\n\n"
      "  outbox migrate --db app.db\n"
      "  outbox migrate --db app.db --check     # change nothing; exit 6 when it is needed");
  const auto checks = std::make_shared<bool>(false);
  command->add_flag("--check", *checks, "Only say whether it is needed (exit 6)");
  command->callback([&globals, &action, checks] {
    action = [&globals, checks] {
      return *checks || globals.is_dry_run ? check(globals) : migrate(globals);
    };
  });
}

}  // namespace cli

#include <filesystem>
#include <iostream>
#include <memory>

#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "outbox/migrate.hpp"
#include "outbox/version.hpp"

namespace cli {

namespace {

ExitCode report(const Globals& globals, int from, int to, bool is_change) {
  if (globals.is_json) {
    std::cout << Json{{"from", from}, {"to", to}, {"needed", outbox::schema_version()}}.dump()
              << "\n";
  } else if (from == outbox::schema_version()) {
    std::cout << "schema " << from << " is current\n";
  } else if (is_change) {
    std::cout << "schema " << from << " → " << to << "\n";
  } else if (from > outbox::schema_version()) {
    std::cout << "schema " << from << " is newer than this program, which knows "
              << outbox::schema_version() << ": use a newer outbox\n";
  } else {
    std::cout << "schema " << from << ", needed is " << outbox::schema_version() << ": run `"
              << hint(globals, "migrate") << "`\n";
  }
  return done;
}

// A file that `migrate` would make has no schema yet.
bool is_to_be_made(const Globals& globals) {
  std::error_code trouble;
  const std::filesystem::path path{globals.db};
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  return !globals.db.empty() && !std::filesystem::exists(path, trouble) &&
         std::filesystem::is_directory(folder, trouble);
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
  if (const std::string mode = db.execAndGet("pragma journal_mode").getString(); mode != "wal") {
    std::cerr << "! journal_mode is " << mode
              << ", and was left alone: the app and the dispatcher lock each other out. To change "
                 "it:  sqlite3 "
              << escaped(shell_quoted(globals.db)) << " 'PRAGMA journal_mode=WAL'\n";
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
      if (*checks) return check(globals);
      if (!globals.is_dry_run) return migrate(globals);
      if (is_to_be_made(globals)) return report(globals, 0, 0, false);
      static_cast<void>(check(globals));
      return done;
    };
  });
}

}  // namespace cli

// export: events with their payloads, as NDJSON or CSV.

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <system_error>

#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"
#include "progress.hpp"

namespace cli {

namespace {

// Each page is a short read, so that the WAL can be checkpointed between them.
constexpr std::size_t page_events = 500;

struct ExportFlags : FilterFlags {
  std::string format = "ndjson";
  std::string output = {};
};

Json row_of(const outbox::EventDetail& detail, const Globals& globals) {
  Json json = json_of(detail.event, globals);
  json["ordering_key"] = text_or_null(detail.ordering_key, globals);
  json["dedupe_key"] = text_or_null(detail.dedupe_key, globals);
  json["kind"] = text_or_null(detail.kind, globals);
  json["headers"] = headers_of(detail.headers, globals);
  json["payload"] = shown_payload(detail.payload, globals);
  return json;
}

// RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe
// (CWE-1236).
std::string csv_cell(const Json& value) {
  if (value.is_null()) return {};
  std::string text =
      json_escaped(value.is_string() ? value.get<std::string>()
                                     : value.dump(-1, ' ', false, Json::error_handler_t::replace));
  const bool is_formula =
      value.is_string() && !text.empty() && std::string_view{"=+-@"}.find(text[0]) < 4;
  if (is_formula) text.insert(0, "'");
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string{c};
  return quoted + "\"";
}

class Table {
 public:
  Table(std::ostream& out, const ExportFlags& flags) : out_{out}, is_csv_{flags.format == "csv"} {}

  void put(const Json& row) {
    if (!is_csv_) {
      out_ << line_of(row);
      return;
    }
    if (is_first_) put_line(row, [](const auto& member) { return member.key(); });
    is_first_ = false;
    put_line(row, [](const auto& member) { return csv_cell(member.value()); });
  }

 private:
  template <class CellOf>
  void put_line(const Json& row, CellOf cell_of) {
    const char* separator = "";
    for (const auto& member : row.items()) {
      out_ << separator << cell_of(member);
      separator = ",";
    }
    out_ << "\r\n";
  }

  std::ostream& out_;
  bool is_csv_;
  bool is_first_ = true;
};

// How many there are, if that is told without reading them.
std::int64_t total_of(SQLite::Database& db, const outbox::EventFilter& filter) {
  if (filter != outbox::EventFilter{.destination = filter.destination}) return 0;
  const outbox::Counts counts = outbox::status(db, filter.destination).counts;
  return counts.pending + counts.dead + counts.discarded + counts.delivered;
}

std::size_t write_all(SQLite::Database& db, const outbox::EventFilter& filter,
                      std::optional<std::size_t> limit, Table& table, const Globals& globals) {
  std::size_t left = limit.value_or(std::numeric_limits<std::size_t>::max());
  Progress progress{"exported", limit ? 0 : total_of(db, filter)};
  outbox::ListOptions options;
  std::size_t count = 0;
  while (left > 0) {
    options.limit = std::min(left, page_events);
    const auto page = outbox::list_details(db, filter, options);
    for (const outbox::EventDetail& detail : page) table.put(row_of(detail, globals));
    count += page.size();
    left -= page.size();
    progress.show(static_cast<std::int64_t>(count));
    if (page.size() < *options.limit) break;
    options.after_id = page.back().event.id;
  }
  return count;
}

ExitCode export_events(const ExportFlags& flags, const Globals& globals) {
  if (globals.is_json && flags.format == "csv") {
    throw Failure{usage, "--json and --format csv: give one of them"};
  }
  if (globals.is_dry_run) throw Failure{usage, "export: has no --dry-run"};
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  const outbox::EventFilter filter = filter_of(flags, globals);
  // A file that is there keeps what it has when the filter is bad or nothing matches.
  if (outbox::list_events(db, filter, {.limit = 1}).empty()) {
    std::cerr << "no event matches\n";
    return no_match;
  }
  std::ofstream file;
  const bool has_file = !flags.output.empty() && flags.output != "-";
  if (has_file) {
    require_no_database(globals, "--output", flags.output);
    file.open(flags.output, std::ios::binary | std::ios::trunc);
    if (!file) {
      throw Failure{usage, "--output: cannot write " + escaped(flags.output) + ": " +
                               std::generic_category().message(errno)};
    }
  }
  std::ostream& out = has_file ? file : std::cout;
  Table table{out, flags};
  const std::size_t count = write_all(db, filter, limit_of(flags), table, globals);
  out.flush();
  if (!out) throw Failure{failed, "cannot write all of it: is the disk full?"};
  return count > 0 ? done : no_match;  // they can have been removed meanwhile
}

}  // namespace

void add_export(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("export",
                         "Events with their payloads, as NDJSON or CSV; masked unless --reveal\n\n"
                         "  outbox export --db app.db --state dead > dead.ndjson\n"
                         "  outbox export --db app.db --since 7d --format csv --output week.csv");
  const auto flags = std::make_shared<ExportFlags>();
  add_filter_options(
      *command, *flags,
      {.states = "pending, scheduled, waiting, retrying, delivered, dead or discarded"});
  command->add_option("--format", flags->format, "ndjson (default) or csv")
      ->check(CLI::IsMember({"ndjson", "csv"}));
  command
      ->add_option("--output", flags->output, "Write to this file; default, and -: standard output")
      ->check(not_empty);
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return export_events(*flags, globals); };
  });
}

}  // namespace cli

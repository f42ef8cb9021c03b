// doctor: looks at everything, and says what is wrong and what helps.

#include "doctor.hpp"

#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "confirm.hpp"
#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/errors.hpp"
#include "outbox/migrate.hpp"
#include "outbox/operate.hpp"

namespace cli {

namespace {

using Level = outbox::Finding::Level;

struct DoctorFlags {
  SendingFlags sending = {};
  bool fixes = false;
  bool connects = false;
  bool sends_test_event = false;
};

Findings examine(SQLite::Database& db, const DoctorFlags& flags, const Globals& globals) {
  Findings findings;
  try {
    findings = outbox::diagnose(db);
  } catch (const outbox::database_error&) {
    if (write_problem(globals).empty()) throw;
    look_at_files(globals, findings);  // says why there is no more to see
    return findings;
  }
  const bool is_readable = findings.front().level != Level::problem;  // the integrity
  if (is_readable) look_at_settings(db, findings);
  look_at_files(globals, findings);
  if (is_readable) look_at_destinations(db, globals, findings);
  look_at_token(flags.sending, findings);
  if (is_readable) look_at_clock(db, findings);
  return findings;
}

std::int64_t count(const Findings& findings, Level level) {
  return std::count_if(findings.begin(), findings.end(),
                       [level](const outbox::Finding& finding) { return finding.level == level; });
}

Json json_of(const Findings& findings, const std::optional<outbox::RepairReport>& repaired,
             const Globals& globals) {
  Json json{{"schema", "outbox.doctor/1"},
            {"problems", count(findings, Level::problem)},
            {"warnings", count(findings, Level::warning)},
            {"repaired", nullptr},
            {"findings", Json::array()}};
  if (repaired) {
    json["repaired"] = {{"queued", repaired->queued},
                        {"unqueued", repaired->unqueued},
                        {"recounted", repaired->recounted}};
  }
  for (const outbox::Finding& finding : findings) {
    json["findings"].push_back({{"name", finding.name},
                                {"level", finding.level == Level::good      ? "ok"
                                          : finding.level == Level::warning ? "warning"
                                                                            : "problem"},
                                {"text", shown(finding.text, globals)},
                                {"repairable", finding.is_repairable}});
  }
  return json;
}

void print_screen(const Findings& findings, const Globals& globals) {
  std::size_t width = 0;
  for (const outbox::Finding& finding : findings) width = std::max(width, finding.name.size());
  for (const outbox::Finding& finding : findings) {
    const char* const mark = finding.level == Level::good      ? "✓ "
                             : finding.level == Level::warning ? "! "
                                                               : "✗ ";
    const std::string line = mark + escaped(finding.name) +
                             std::string(width - finding.name.size() + 2, ' ') +
                             escaped(shown(finding.text, globals));
    std::cout << (finding.level == Level::good ? line : attention(line, globals)) << "\n";
    if (finding.is_repairable) {
      std::cout << std::string(width + 4, ' ') << "to repair it:  " << hint(globals, "doctor --fix")
                << "\n";
    }
  }
  const auto text = [](std::int64_t number, const char* word) {
    return grouped(number) + " " + word + (number == 1 ? "" : "s");
  };
  std::cout << text(count(findings, Level::problem), "problem") << ", "
            << text(count(findings, Level::warning), "warning") << "\n";
}

std::optional<outbox::RepairReport> fix(const Findings& findings, const Globals& globals) {
  const bool is_needed =
      std::any_of(findings.begin(), findings.end(),
                  [](const outbox::Finding& finding) { return finding.is_repairable; });
  if (!is_needed) return std::nullopt;
  if (!globals.is_dry_run) confirm(globals, "repair the queue and the counters?");
  SQLite::Database db = open_database(globals, globals.is_dry_run ? Access::read : Access::write);
  const outbox::RepairReport report = outbox::repair(db, note_of("doctor --fix"), run_of(globals));
  std::cerr << (globals.is_dry_run ? "would queue " : "queued ") << events_text(report.queued)
            << ", " << (globals.is_dry_run ? "remove " : "removed ") << grouped(report.unqueued)
            << " rows without an event, " << (globals.is_dry_run ? "correct " : "corrected ")
            << grouped(report.recounted) << (report.recounted == 1 ? " counter\n" : " counters\n");
  return globals.is_dry_run ? std::nullopt : std::optional{report};
}

// An engine has no status; without one the Track API has not answered.
std::string answer_of(const outbox::RequestSummary& request, const DoctorFlags& flags) {
  if (request.status) return "HTTP " + std::to_string(*request.status);
  return flags.sending.relay.to.empty() ? "no answer" : "the relay said";
}

// From a database in memory, so that the queue and its order are not touched.
void send_test_event(const DoctorFlags& flags, Findings& findings) {
  SQLite::Database scratch{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  outbox::migrate(scratch);
  {
    SQLite::Transaction transaction{scratch};
    outbox::enqueue(scratch, outbox::TrackEvent{.event_name = "outbox_doctor_test",
                                                .user_id = "outbox-doctor"});
    transaction.commit();
  }
  outbox::DispatcherOptions options = dispatcher_options_of(flags.sending, {.name = "track"});
  const outbox::DeliverReport report =
      outbox::deliver_once(scratch, endpoint_of(flags.sending), options, std::chrono::seconds{10});
  const auto requests = outbox::list_requests(scratch, {}, 1);
  const std::string answer =
      requests.empty()
          ? "no answer"
          : answer_of(requests[0], flags) + " after " + std::to_string(requests[0].took.count()) +
                " ms: " + to_string(requests[0].verdict) +
                (requests[0].reason.empty() ? "" : ", " + requests[0].reason);
  findings.push_back({"endpoint", report.delivered == 1 ? Level::good : Level::problem,
                      "a test event: " + answer});
}

// Whether there can be such an endpoint; nothing is sent. Plain HTTP is a matter of `run`'s flags.
void look_at_endpoint(const DoctorFlags& flags, Findings& findings) {
  if (!flags.sending.relay.to.empty()) return;
  outbox::TrackApi api = track_api_of(flags.sending);
  api.plain_text = outbox::PlainText::to_anyone;
  try {
    static_cast<void>(outbox::track_api(api));
  } catch (const std::exception& error) {
    findings.push_back({"endpoint", Level::problem, without_prefix(error.what())});
  }
}

void connect(const DoctorFlags& flags, Findings& findings) {
  const bool is_relay = !flags.sending.relay.to.empty();
  const outbox::TrackApi api = track_api_of(flags.sending);
  const std::string where = shown_address(is_relay ? flags.sending.relay.to : api.url);
  const std::string problem =
      is_relay ? relay_problem(flags.sending) : outbox::connection_problem(api);
  findings.push_back(
      {"connection", problem.empty() ? Level::good : Level::problem,
       problem.empty() ? "connects to " + where + "; nothing was sent" : where + ": " + problem});
}

ExitCode doctor(const DoctorFlags& flags, const Globals& globals) {
  require_fitting(flags.sending);
  Findings findings;
  std::optional<outbox::RepairReport> repaired;
  try {
    SQLite::Database db = open_database(globals, Access::read);
    findings = examine(db, flags, globals);
    if (flags.fixes) repaired = fix(findings, globals);
    if (repaired) findings = examine(db, flags, globals);
  } catch (const outbox::database_error& error) {
    if ((error.code() & 0xFF) != SQLITE_CORRUPT) throw;
    findings = {{"integrity", Level::problem,
                 without_prefix(error.what()) +
                     ": restore a backup, or save what can be read with .recover of sqlite3"}};
  }
  look_at_endpoint(flags, findings);
  if (flags.connects) connect(flags, findings);
  if (flags.sends_test_event) {
    confirm(globals, "send an event outbox_doctor_test to the endpoint, which keeps it?");
    if (globals.is_dry_run) {
      findings.push_back({"endpoint", Level::good, "a test event would be sent"});
    } else {
      send_test_event(flags, findings);
    }
  }
  if (globals.is_json) {
    std::cout << line_of(json_of(findings, repaired, globals));
  } else {
    print_screen(findings, globals);
  }
  return count(findings, Level::problem) > 0 ? found_problems : done;
}

}  // namespace

void add_doctor(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "doctor",
      "Check everything that can be wrong, and say what to do\n\n"
      "File, schema, query plans, log, queue and counters, token, clock, dispatchers. Exit 7:\n"
      "problems. Reads every row, and sends nothing unless it is asked to.\n\n"
      "  outbox doctor --db app.db\n"
      "  outbox doctor --db app.db --token-file thrivestack.token\n"
      "  outbox doctor --db app.db --fix");
  const auto flags = std::make_shared<DoctorFlags>();
  command->add_flag("--fix", flags->fixes, "Repair what can be repaired without loss");
  command->add_flag("--online", flags->connects, "Connect to the endpoint, and send nothing");
  command->add_flag("--send-test-event", flags->sends_test_event,
                    "Send an event outbox_doctor_test; the endpoint keeps it");
  add_endpoint_options(*command, flags->sending);
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return doctor(*flags, globals); };
  });
}

}  // namespace cli

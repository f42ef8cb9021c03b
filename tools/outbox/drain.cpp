#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "confirm.hpp"
#include "destination.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/inspect.hpp"
#include "outbox/operate.hpp"
#include "progress.hpp"
#include "sending.hpp"
#include "status.hpp"

namespace cli {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

struct DrainFlags {
  SendingFlags sending;
  std::string timeout = "30s";
};

// Another process dispatches: asks it to look now, waits until nothing is due, and reports what was
// done meanwhile. Looks again each 100 ms, since nothing of the other process wakes this one.
outbox::DeliverReport wait_for_dispatcher(SQLite::Database& db, const std::string& destination,
                                          SteadyClock::time_point deadline, Progress& progress) {
  const outbox::DestinationStatus before = status_of(db, destination);
  outbox::nudge(db, destination);
  if (before.dispatcher && !before.paused) {
    const std::string& trouble = before.dispatcher->trouble;
    std::cerr << name_of(*before.dispatcher) << " dispatches " << destination << ": waits for it"
              << (trouble.empty() ? "" : ", although " + escaped(trouble)) << "\n";
  }
  outbox::DestinationStatus now = status_of(db, destination);
  while (now.counts.due > 0 && !now.paused && now.dispatcher && SteadyClock::now() < deadline) {
    progress.show(now.counts.delivered_total - before.counts.delivered_total);
    std::this_thread::sleep_for(milliseconds{100});
    now = status_of(db, destination);
  }
  const auto grown = [](std::int64_t from, std::int64_t to) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(to - from, 0));
  };
  const outbox::Counts& left = now.counts;
  return {.delivered = grown(before.counts.delivered_total, now.counts.delivered_total),
          .dead = grown(before.counts.dead, now.counts.dead),
          .requests = grown(before.counts.requests_total, now.counts.requests_total),
          .remaining = static_cast<std::uint64_t>(left.due + left.retrying),
          .is_paused = now.paused.has_value(),
          .is_unauthorized =
              !now.paused && now.hold && now.hold->kind == outbox::HoldKind::unauthorized,
          .is_served_elsewhere = now.dispatcher.has_value(),
          .hold = now.hold ? now.hold->reason : ""};
}

// On this process's own connection; says if another one dispatches.
outbox::DeliverReport deliver_alone(SQLite::Database& db, const outbox::DestinationStatus& before,
                                    const DrainFlags& flags, const Globals& globals,
                                    milliseconds time_max, Progress& progress) {
  require_not_foreign(db, before, flags.sending);
  outbox::DispatcherOptions options = dispatcher_options_of(flags.sending, before);
  options.pauses_foreign_database = false;  // it was asked
  std::int64_t delivered = 0;
  outbox::Verdict last = outbox::Verdict::delivered;
  options.observer = [&](const outbox::Notice& notice) {
    if (notice.kind != outbox::Notice::Kind::request) return;
    last = notice.verdict.value_or(last);
    if (notice.verdict != outbox::Verdict::delivered) return;
    progress.show(delivered += static_cast<std::int64_t>(notice.events));
  };
  outbox::DeliverReport report = outbox::deliver_once(
      outbox::DatabaseFile{globals.db}, endpoint_of(flags.sending), options, time_max);
  // Also without a hold: one event that is tried alone is no reason for one.
  if (last == outbox::Verdict::unauthorized) report.is_unauthorized = true;
  return report;
}

// What was done before, and how it is after.
outbox::DeliverReport joined(const outbox::DeliverReport& before, outbox::DeliverReport after) {
  after.delivered += before.delivered;
  after.dead += before.dead;
  after.requests += before.requests;
  return after;
}

outbox::DeliverReport deliver(SQLite::Database& db, const outbox::DestinationStatus& before,
                              const DrainFlags& flags, const Globals& globals) {
  const auto deadline = SteadyClock::now() + duration_of(flags.timeout);
  const auto left = [&] {
    return std::max(std::chrono::ceil<milliseconds>(deadline - SteadyClock::now()),
                    milliseconds{0});
  };
  // Counting takes as long as the queue is, so only for someone who looks.
  const std::int64_t total = isatty(STDERR_FILENO) ? status_of(db, before.name).counts.due : 0;
  Progress progress{"delivered", total};
  outbox::DeliverReport report{.is_served_elsewhere = before.dispatcher.has_value()};
  // Beside another dispatcher no token is needed here.
  if (!before.dispatcher) report = deliver_alone(db, before, flags, globals, left(), progress);
  if (!report.is_served_elsewhere) return report;
  report = joined(report, wait_for_dispatcher(db, before.name, deadline, progress));
  const bool is_orphaned = report.remaining > 0 && !report.is_served_elsewhere && !report.is_paused;
  if (!is_orphaned) return report;  // else the other one has gone, and the rest is ours
  return joined(report, deliver_alone(db, before, flags, globals, left(), progress));
}

void explain(const outbox::DeliverReport& report, const outbox::DestinationStatus& now,
             const Globals& globals) {
  const std::string on = " --destination " + now.name;
  if (report.remaining > 0) {
    std::cerr << "! " << grouped(static_cast<std::int64_t>(report.remaining)) << " still pending: ";
    if (report.is_paused) {
      std::cerr << "the destination is paused:  " << hint(globals, "resume" + on) << "\n";
    } else if (!report.hold.empty()) {
      std::cerr << escaped(shown(now.hold ? now.hold->reason : report.hold, globals)) << "\n";
      // What is in trouble itself is tried again by the next drain.
      if (now.hold && now.hold->kind != outbox::HoldKind::backing_off) {
        std::cerr << "  " << hold_advice(now, globals) << "\n";
      }
    } else if (now.counts.retrying > 0) {
      std::cerr << "refused or failed alone, and nothing was accepted since:  "
                << hint(globals, "list --state retrying")
                << "\n  to make them due:  " << hint(globals, "retry --state retrying --all" + on)
                << "\n";
    } else if (now.dispatcher && !now.dispatcher->trouble.empty()) {
      std::cerr << escaped(now.dispatcher->trouble) << "\n";
    } else {
      std::cerr << "time is up, or an earlier event of the same ordering key waits\n";
    }
  }
  if (report.dead > 0) {
    std::cerr << "! " << grouped(static_cast<std::int64_t>(report.dead))
              << (report.dead == 1 ? " is" : " are")
              << " dead:  " << hint(globals, "list --state dead" + on) << "\n";
  }
}

ExitCode code_of(const outbox::DeliverReport& report) {
  if (report.is_unauthorized) return unauthorized;
  if (report.remaining > 0) return failed;
  return report.dead > 0 ? found_problems : done;
}

ExitCode drain(const DrainFlags& flags, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::write);
  const outbox::DestinationStatus before = require_known(db, globals, flags.sending.is_new);
  if (globals.is_dry_run) {
    if (!before.dispatcher) require_not_foreign(db, before, flags.sending);
    const auto due = status_of(db, before.name).counts.due;
    if (globals.is_json) {
      std::cout << Json{{"delivered", 0},
                        {"dead", 0},
                        {"remaining", due},
                        {"requests", 0},
                        {"dry_run", true}}
                       .dump()
                << "\n";
    } else if (before.paused) {
      std::cout << "would send nothing: " << before.name << " is paused\n";
    } else {
      std::cout << "would send " << events_text(due) << " of " << before.name << "\n";
    }
    return done;
  }
  const outbox::DeliverReport report = deliver(db, before, flags, globals);
  if (globals.is_json) {
    std::cout << Json{{"delivered", report.delivered},
                      {"dead", report.dead},
                      {"remaining", report.remaining},
                      {"requests", report.requests}}
                     .dump()
              << "\n";
  } else {
    const auto number = [](std::uint64_t n) { return grouped(static_cast<std::int64_t>(n)); };
    std::cout << number(report.delivered) << " delivered, " << number(report.dead) << " dead, "
              << number(report.remaining) << " remaining (" << number(report.requests)
              << (report.requests == 1 ? " request)\n" : " requests)\n");
  }
  if (report.remaining > 0 || report.dead > 0) {
    explain(report, status_of(db, before.name), globals);
  }
  return code_of(report);
}

}  // namespace

void add_drain(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "drain",
      "Deliver what is due, in the foreground, then exit\n\n"
      "Tries at once, even during a hold, but not during a pause. While another process\n"
      "dispatches, waits for that one. Exit 0: nothing is due any more; 1: something still is;\n"
      "4: credentials refused, or none; 7: some of what was due died.\n\n"
      "  OUTBOX_TOKEN=… outbox drain --db app.db\n"
      "  outbox drain --db app.db --token-file thrivestack.token --timeout 5m");
  const auto flags = std::make_shared<DrainFlags>();
  add_sending_options(*command, flags->sending);
  command
      ->add_option("--timeout", flags->timeout,
                   "Stop after this time: 500ms, 30s (default), 5m, 2h, 7d")
      ->check(a_duration);
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return drain(*flags, globals); };
  });
}

}  // namespace cli

// check: the queue's health for Nagios, Icinga, and the Prometheus textfile collector.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <vector>

#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "failure.hpp"
#include "files.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/metrics.hpp"
#include "status.hpp"

namespace cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// The plugins' codes, which are no exit codes of the other commands.
enum Health : int { ok = 0, warning = 1, critical = 2, unknown = 3 };
constexpr std::array<const char*, 4> health_words{"OK", "WARNING", "CRITICAL", "UNKNOWN"};

constexpr std::int64_t count_max = 1'000'000'000'000;

struct CheckFlags {
  std::string warn_age = "1m";
  std::string crit_age = "10m";
  std::int64_t warn_dead = 1;
  std::int64_t crit_dead = 0;
  std::int64_t warn_pending = 0;
  std::int64_t crit_pending = 0;
  std::string stale = "1m";
  std::string textfile = {};
  bool is_for_prometheus = false;
};

struct Problem {
  Health health;
  std::string text;
};

class Checks {
 public:
  Checks(const CheckFlags& flags, const Globals& globals) : flags_{flags}, globals_{globals} {}

  void look_at(const outbox::DestinationStatus& destination) {
    look_at_counts(destination);
    look_at_dispatcher(destination);
    if (const auto& paused = destination.paused) {
      say(warning, destination, "paused since " + when(paused->since, globals_));
    }
    if (const auto& hold = destination.hold) {
      const bool ends_by_itself = hold->kind == outbox::HoldKind::backing_off;
      say(ends_by_itself ? warning : critical, destination,
          "on hold since " + when(hold->since, globals_) + " (" +
              escaped(shown(hold->reason, globals_)) + ")");
    }
    if (const std::string text = suspects_text(destination, globals_); !text.empty()) {
      say(warning, destination, text);
    }
    if (destination.is_foreign) say(warning, destination, "a copied or restored database");
  }

  Health health() const {
    Health worst = ok;
    for (const Problem& problem : problems_) worst = std::max(worst, problem.health);
    return worst;
  }
  // The worst first.
  std::string text() const {
    std::string text;
    for (const Health health : {critical, warning}) {
      for (const Problem& problem : problems_) {
        if (problem.health == health) text += (text.empty() ? "" : "; ") + problem.text;
      }
    }
    return text;
  }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  void say(Health health, const outbox::DestinationStatus& destination, const std::string& text) {
    problems_.push_back({health, escaped(destination.name) + ": " + text});
  }

  void look_at_counts(const outbox::DestinationStatus& destination) {
    const outbox::Counts& counts = destination.counts;
    look_at_age(destination, counts.oldest_due_age, "the oldest due event is ");
    look_at_age(destination, counts.oldest_retrying_age,
                "the oldest event that was refused or failed alone is ");
    look_at_count(destination, counts.dead, flags_.warn_dead, flags_.crit_dead, " dead");
    look_at_count(destination, counts.pending, flags_.warn_pending, flags_.crit_pending,
                  " pending");
  }

  void look_at_age(const outbox::DestinationStatus& destination,
                   const std::optional<milliseconds>& age, const std::string& which) {
    if (!age) return;
    const bool is_critical = *age >= duration_of(flags_.crit_age);
    if (!is_critical && *age < duration_of(flags_.warn_age)) return;
    say(is_critical ? critical : warning, destination, which + how_long(*age) + " old");
  }

  void look_at_count(const outbox::DestinationStatus& destination, std::int64_t count,
                     std::int64_t warn, std::int64_t crit, const char* word) {
    const bool is_critical = crit > 0 && count >= crit;
    if (is_critical || (warn > 0 && count >= warn)) {
      say(is_critical ? critical : warning, destination, grouped(count) + word);
    }
  }

  void look_at_dispatcher(const outbox::DestinationStatus& destination) {
    const auto& dispatcher = destination.dispatcher;
    if (!dispatcher) {
      const bool is_needed = destination.counts.pending > destination.counts.scheduled;
      if (!is_needed) return;
      return say(critical, destination,
                 destination.was_ever_served ? "no dispatcher is running"
                                             : "no dispatcher has ever served it (a typo?)");
    }
    const auto silence =
        std::chrono::floor<milliseconds>(system_clock::now() - dispatcher->last_round);
    if (silence >= duration_of(flags_.stale)) {
      say(critical, destination, "its dispatcher has been silent for " + how_long(silence));
    }
    if (!dispatcher->database_trouble.empty()) {
      say(critical, destination,
          "its dispatcher cannot use the database: " +
              escaped(shown(dispatcher->database_trouble, globals_)));
    }
    if (!dispatcher->trouble.empty()) {
      say(critical, destination, "its dispatcher does nothing: " + escaped(dispatcher->trouble));
    }
  }

  const CheckFlags& flags_;
  const Globals& globals_;
  std::vector<Problem> problems_ = {};
};

std::string summary_of(const outbox::Status& status) {
  const outbox::Counts& counts = status.counts;
  return grouped(counts.pending) + " pending, " + grouped(counts.dead) + " dead, oldest due " +
         (counts.oldest_due_age ? how_long(*counts.oldest_due_age) : "-");
}

// For Nagios all behind a | is performance data.
std::string without_bars(std::string text) {
  std::replace(text.begin(), text.end(), '|', '/');
  return text;
}

// Performance data: 'label'=value[unit];warn;crit
std::string performance_of(const outbox::Status& status, const CheckFlags& flags) {
  const auto seconds = [](milliseconds duration) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f",
                  std::chrono::duration<double>(duration).count());
    return std::string{text.data()};
  };
  const auto limit = [](std::int64_t value) { return value > 0 ? std::to_string(value) : ""; };
  std::string text;
  for (const outbox::DestinationStatus& destination : status.destinations) {
    const outbox::Counts& counts = destination.counts;
    const std::string name = escaped(destination.name);
    text += " '" + name +
            "_oldest_due'=" + seconds(counts.oldest_due_age.value_or(milliseconds{0})) + "s;" +
            seconds(duration_of(flags.warn_age)) + ";" + seconds(duration_of(flags.crit_age));
    text += " '" + name + "_pending'=" + std::to_string(counts.pending) + ";" +
            limit(flags.warn_pending) + ";" + limit(flags.crit_pending);
    text += " '" + name + "_dead'=" + std::to_string(counts.dead) + ";" + limit(flags.warn_dead) +
            ";" + limit(flags.crit_dead);
    text += " '" + name + "_delivered'=" + std::to_string(counts.delivered_total) + "c";
  }
  return text;
}

void print_json(Health health, const std::vector<Problem>& problems) {
  Json json{{"health", health_words.at(health)}, {"code", static_cast<int>(health)}};
  json["problems"] = Json::array();
  for (const Problem& problem : problems) {
    json["problems"].push_back(
        {{"health", health_words.at(problem.health)}, {"text", problem.text}});
  }
  std::cout << line_of(json);
}

void print(const Checks& checks, const outbox::Status& status, const CheckFlags& flags,
           const Globals& globals) {
  if (globals.is_json) {
    print_json(checks.health(), checks.problems());
  } else {
    const std::string text = checks.health() == ok ? summary_of(status) : checks.text();
    std::cout << "OUTBOX " << health_words.at(checks.health()) << " - " << without_bars(text)
              << " |" << performance_of(status, flags) << "\n";
  }
}

ExitCode check(const CheckFlags& flags, const Globals& globals) try {
  if (globals.is_dry_run) throw Failure{usage, "check: has no --dry-run"};
  if (globals.is_json && flags.is_for_prometheus) {
    throw Failure{usage, "--json and --prometheus: give one of them"};
  }
  SQLite::Database db = open_database(globals, Access::read);
  require_used(db, globals);
  const outbox::Status status = outbox::status(db, globals.destination);
  Checks checks{flags, globals};
  for (const auto& destination : status.destinations) checks.look_at(destination);
  if (!flags.textfile.empty()) require_no_database(globals, "--textfile", flags.textfile);
  const bool wants_metrics = !flags.textfile.empty() || flags.is_for_prometheus;
  const std::string metrics =
      wants_metrics ? outbox::prometheus_text(db, {.destination = globals.destination}) : "";
  if (!flags.textfile.empty()) write_whole(flags.textfile, metrics);
  if (flags.is_for_prometheus) {
    std::cout << metrics;
  } else {
    print(checks, status, flags, globals);
  }
  return static_cast<ExitCode>(checks.health());
} catch (const std::exception&) {
  const std::string text = escaped(without_prefix(failure_in_hand(globals).what()));
  if (flags.is_for_prometheus) {  // standard output is for metrics, and there are none
    std::cerr << "outbox: " << text << "\n";
  } else if (globals.is_json) {
    print_json(unknown, {{unknown, text}});
  } else {
    std::cout << "OUTBOX UNKNOWN - " << without_bars(text) << "\n";
  }
  return static_cast<ExitCode>(unknown);
}

}  // namespace

void add_check(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "check",
      "Health for Nagios and Prometheus\n\n"
      "Exit 0: ok; 1: warning; 2: critical; 3: unknown.\n\n"
      "  outbox check --db app.db --warn-age 1m --crit-age 10m\n"
      "  outbox check --db app.db --textfile /var/lib/node_exporter/outbox.prom");
  const auto flags = std::make_shared<CheckFlags>();
  const auto add = [&](const char* name, auto& value, const char* about) {
    return command->add_option(name, value, about)->check(not_empty);
  };
  add("--warn-age", flags->warn_age,
      "Warn when the oldest event that is due, or was refused or failed alone, is older (1m)")
      ->check(a_duration);
  add("--crit-age", flags->crit_age, "Critical when it is older (10m)")->check(a_duration);
  const auto add_count = [&](const char* name, std::int64_t& value, const char* about) {
    add(name, value, about)->check(CLI::Range(std::int64_t{0}, count_max));
  };
  add_count("--warn-dead", flags->warn_dead, "Warn from this many dead events (1); 0: never");
  add_count("--crit-dead", flags->crit_dead, "Critical from this many (never)");
  add_count("--warn-pending", flags->warn_pending, "Warn from this many pending events (never)");
  add_count("--crit-pending", flags->crit_pending, "Critical from this many (never)");
  add("--stale", flags->stale, "Critical when the dispatcher was silent for longer (1m)")
      ->check(a_duration);
  add("--textfile", flags->textfile, "Also write the metrics to this file, atomically");
  command->add_flag("--prometheus", flags->is_for_prometheus, "Print the metrics instead");
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return check(*flags, globals); };
  });
}

}  // namespace cli

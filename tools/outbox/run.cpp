#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>

#include "confirm.hpp"
#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "files.hpp"
#include "format.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/metrics.hpp"
#include "run_config.hpp"
#include "run_log.hpp"
#include "status.hpp"
#include "systemd.hpp"

namespace cli {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds between_looks{200};
constexpr std::chrono::seconds between_metrics{15};

// A dispatcher, and what was last said of it.
struct RunningDispatcher {
  std::string name;
  std::unique_ptr<outbox::Dispatcher> dispatcher;
  bool was_paused = false;
};

// What is wrong with a section of the file names it.
template <class Action>
auto of_section(const Served& one, const RunFlags& flags, Action action) {
  const auto place = [&] { return flags.config + ": [" + one.name + "]: "; };
  try {
    return action();
  } catch (const Failure& failure) {
    if (flags.config.empty()) throw;
    throw Failure{failure.code(), place() + failure.what()};
  } catch (const std::invalid_argument& error) {
    if (flags.config.empty()) throw;
    throw Failure{usage, place() + in_terms_of_flags(error.what())};
  }
}

// A destination that may be served.
struct Ready {
  outbox::Endpoint endpoint;
  outbox::DestinationStatus before;  // without counts
};

Ready ready(SQLite::Database& db, const Served& one, const RunFlags& flags,
            const Globals& globals) {
  return of_section(one, flags, [&] {
    Globals own = globals;
    // The default destination needs no --new: its name is no typing mistake.
    if (one.name != own.destination_to_send()) own.destination = one.name;
    outbox::DestinationStatus before = require_known(db, own, one.sending.is_new);
    require_not_foreign(db, before, one.sending);
    return Ready{endpoint_of(one.sending), std::move(before)};
  });
}

class Service {
 public:
  Service(RunFlags flags, Globals globals)
      : flags_{std::move(flags)}, globals_{std::move(globals)}, log_{flags_, globals_} {}

  /// Throws: `Failure` and the library's own for what could never be served.
  void start(const std::vector<Served>& served) {
    SQLite::Database db = open_database(globals_, Access::write);
    std::vector<outbox::Endpoint> endpoints;
    std::vector<outbox::DispatcherOptions> options;
    for (const Served& one : served) {
      Ready found = ready(db, one, flags_, globals_);
      endpoints.push_back(std::move(found.endpoint));
      options.push_back(dispatcher_options_of(one.sending, found.before));
      if (found.before.is_foreign) options.back().pauses_foreign_database = false;  // it was asked
      options.back().observer = [this](const outbox::Notice& notice) { tell(notice); };
    }
    for (std::size_t i = 0; i < served.size(); ++i) {
      dispatchers_.push_back({served[i].name, of_section(served[i], flags_, [&] {
                                return std::make_unique<outbox::Dispatcher>(
                                    outbox::DatabaseFile{globals_.db}, std::move(endpoints[i]),
                                    std::move(options[i]));
                              })});
    }
    write_metrics(db);
    notify_systemd("READY=1\nSTATUS=serves " +
                   grouped(static_cast<std::int64_t>(dispatchers_.size())) +
                   (dispatchers_.size() == 1 ? " destination" : " destinations"));
  }

  void run(const sigset_t& stop_signals) {
    SQLite::Database db = open_database(globals_, Access::read);
    auto metrics_at = SteadyClock::now() + between_metrics;
    const auto end_at = flags_.timeout.empty() ? SteadyClock::time_point::max()
                                               : SteadyClock::now() + duration_of(flags_.timeout);
    while (SteadyClock::now() < end_at && !is_signalled(stop_signals)) {
      look();
      notify_systemd("WATCHDOG=1");
      if (SteadyClock::now() < metrics_at) continue;
      write_metrics(db);
      metrics_at = SteadyClock::now() + between_metrics;
    }
    notify_systemd("STOPPING=1");
    const auto deadline = SteadyClock::now() + duration_of(flags_.grace);
    const bool is_urgent = drain(db, stop_signals, deadline);
    stop(is_urgent ? SteadyClock::now() : deadline);
    write_metrics(db);
  }

 private:
  void tell(const outbox::Notice& notice) {
    if (!globals_.is_json) announce(notice);  // standard output is for JSON
    log_.tell(notice);
  }

  static void announce(const outbox::Notice& notice) {
    using Kind = outbox::Notice::Kind;
    if (notice.kind == Kind::active) {
      std::cout << "outbox dispatches " + notice.destination + "\n" << std::flush;
    } else if (notice.kind == Kind::standby) {
      std::cout << "outbox stands by for " + notice.destination + ": another one dispatches\n"
                << std::flush;
    }
  }

  static bool is_signalled(const sigset_t& signals) {
    const timespec wait{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds{between_looks}.count()};
    return sigtimedwait(&signals, nullptr, &wait) > 0;
  }

  void look() {
    for (RunningDispatcher& running : dispatchers_) {
      const bool is_paused = running.dispatcher->stats().is_paused;
      if (is_paused != running.was_paused) {
        log_.say(running.name, is_paused ? "paused" : "unpaused",
                 is_paused ? "paused: nothing is sent until it is resumed" : "resumed");
      }
      running.was_paused = is_paused;
    }
  }

  void write_metrics(SQLite::Database& db) {
    if (flags_.metrics_file.empty()) return;
    try {
      outbox::PrometheusOptions options;
      for (const RunningDispatcher& running : dispatchers_)
        options.dispatchers.push_back(running.dispatcher.get());
      write_whole(flags_.metrics_file, outbox::prometheus_text(db, options));
    } catch (const std::exception& error) {  // deliveries matter more
      log_.say("all", "metrics_trouble", error.what());
    }
  }

  // Goes on while something is due that can be delivered. True: a second signal came.
  bool drain(SQLite::Database& db, const sigset_t& signals, SteadyClock::time_point deadline) {
    while (SteadyClock::now() < deadline && has_work(db)) {
      if (is_signalled(signals)) return true;
    }
    return false;
  }

  bool has_work(SQLite::Database& db) try {
    for (const RunningDispatcher& running : dispatchers_) {
      const outbox::Stats stats = running.dispatcher->stats();
      if (!stats.is_active || stats.is_paused || !stats.hold.empty()) continue;
      if (status_of(db, running.name).counts.due > 0) return true;
    }
    return false;
  } catch (const std::exception&) {  // a database in trouble is nothing to wait for
    return false;
  }

  void stop(SteadyClock::time_point deadline) {
    for (const RunningDispatcher& running : dispatchers_) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - SteadyClock::now());
      const bool is_clean = running.dispatcher->stop(std::max(left, milliseconds{0}));
      const outbox::Stats stats = running.dispatcher->stats();
      const auto number = [](std::uint64_t n) { return grouped(static_cast<std::int64_t>(n)); };
      log_.say(
          running.name, "stopped",
          "stopped: " + number(stats.delivered) + " delivered, " + number(stats.dead) + " dead, " +
              number(stats.requests) + (stats.requests == 1 ? " request" : " requests") +
              (is_clean ? "" : "; requests under way were given up, their events stay pending"));
    }
  }

  const RunFlags flags_;
  const Globals globals_;
  RunLog log_;
  // Their observers use the log, so they die first.
  std::vector<RunningDispatcher> dispatchers_ = {};
};

ExitCode say_what_would_be_served(const std::vector<Served>& served, const RunFlags& flags,
                                  const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  for (const Served& one : served) {
    static_cast<void>(ready(db, one, flags, globals));
    const std::int64_t due = status_of(db, one.name).counts.due;
    if (globals.is_json) {
      std::cout << line_of({{"destination", one.name}, {"due", due}, {"dry_run", true}});
    } else {
      std::cout << "would serve " << one.name << ": " << events_text(due) << " due\n";
    }
  }
  return done;
}

ExitCode run(RunFlags flags, Globals globals) {
  const std::vector<Served> served = read_config(flags, globals);
  if (!flags.metrics_file.empty()) {
    require_no_database(globals, "--metrics-file", flags.metrics_file);
  }
  if (globals.is_dry_run) return say_what_would_be_served(served, flags, globals);
  // Blocked before the dispatchers' threads are made, and waited for below.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  Service service{std::move(flags), std::move(globals)};
  service.start(served);
  service.run(stop_signals);
  return done;
}

}  // namespace

void add_run(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "run",
      "A dispatcher as a process of its own, until SIGTERM or SIGINT\n\n"
      "Stands by while another dispatcher is at work, and takes over when that one ends. After\n"
      "SIGTERM it delivers what is due, for at most --grace; a second SIGTERM stops it at once.\n"
      "The file of --config has the same options without the leading dashes, and a section for\n"
      "each destination.\n\n"
      "  outbox run --db app.db --token-file thrivestack.token\n"
      "  outbox run --config outbox.toml");
  const auto flags = std::make_shared<RunFlags>();
  add_sending_options(*command, flags->sending);
  add_run_options(*command, *flags);
  command->add_option("--config", flags->config, "Read the options from this file")
      ->envname("OUTBOX_CONFIG")
      ->check(not_empty);
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return run(*flags, globals); }; });
}

}  // namespace cli

#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>

#include "format.hpp"
#include "globals.hpp"
#include "mask.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/migrate.hpp"
#include "sending.hpp"

namespace cli {

namespace {

struct RunFlags {
  SendingFlags sending;
  std::string stop_timeout = "10s";
};

// One line for each change that people care about; never a payload.
class Log {
 public:
  explicit Log(const Globals& globals) : globals_{globals} {}

  void look(const outbox::Stats& stats) {
    if (stats.is_active != last_.is_active) {
      say(stats.is_active ? "delivers" : "stands by: another dispatcher is at work");
    }
    if (stats.is_paused != last_.is_paused) say(stats.is_paused ? "paused" : "resumed");
    if (stats.hold != last_.hold) say(stats.hold.empty() ? "hold ended" : "hold: " + stats.hold);
    if (stats.database_trouble != last_.database_trouble && !stats.database_trouble.empty()) {
      say("database: " + stats.database_trouble);
    }
    for (std::size_t i = last_.warnings.size(); i < stats.warnings.size(); ++i) {
      say("warning: " + stats.warnings[i]);
    }
    if (stats.dead > last_.dead) {
      say(grouped(static_cast<std::int64_t>(stats.dead - last_.dead)) +
          " dead:  outbox list --state dead");
    }
    last_ = stats;
  }

  void say(const std::string& text) const {
    std::cerr << rfc3339(std::chrono::system_clock::now()) << " " << escaped(shown(text, globals_))
              << std::endl;
  }

 private:
  const Globals& globals_;
  outbox::Stats last_ = {};
};

ExitCode run(const RunFlags& flags, const Globals& globals) {
  const auto stop_timeout = duration_of(flags.stop_timeout);
  { open_database(globals, Access::write); }  // says what is wrong with the path or the owner

  // Blocked before the dispatcher's thread is made, and waited for below.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  outbox::Dispatcher dispatcher{outbox::DatabaseFile{globals.db}, endpoint_of(flags.sending),
                                dispatcher_options_of(flags.sending, globals)};
  std::cout << "outbox dispatches " << globals.destination_to_send() << std::endl;
  Log log{globals};
  const timespec look_each{.tv_sec = 0, .tv_nsec = 200'000'000};
  while (sigtimedwait(&stop_signals, nullptr, &look_each) < 0) log.look(dispatcher.stats());

  const bool is_clean = dispatcher.stop(stop_timeout);
  const outbox::Stats stats = dispatcher.stats();
  log.say("stopped: " + grouped(static_cast<std::int64_t>(stats.delivered)) + " delivered, " +
          grouped(static_cast<std::int64_t>(stats.dead)) + " dead, " +
          grouped(static_cast<std::int64_t>(stats.requests)) + " requests" +
          (is_clean ? "" : "; requests under way were given up, their events stay pending"));
  return done;
}

}  // namespace

void add_run(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "run",
      "A dispatcher as a process of its own, until SIGTERM or SIGINT\n\n"
      "Stands by while another dispatcher is at work, and takes over when that one ends.\n\n"
      "  outbox run --db app.db --token-file thrivestack.token");
  const auto flags = std::make_shared<RunFlags>();
  add_sending_options(*command, flags->sending);
  command->add_option("--stop-timeout", flags->stop_timeout,
                      "How long requests under way may still take at the end (10s)");
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return run(*flags, globals); }; });
}

}  // namespace cli

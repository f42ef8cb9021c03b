// watch: the queue, live: on a terminal a screen, else a line each time.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"
#include "status.hpp"
#include "terminal.hpp"

namespace cli {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

struct WatchFlags {
  std::string interval = "1s";
  std::int64_t count = 0;  // 0: until it is stopped
};

// A number that grows, as a rate, with its past.
class Rate {
 public:
  void add(std::int64_t total, double elapsed_s) {
    if (has_total_ && elapsed_s > 0) {
      past_.push_back(std::max(0.0, static_cast<double>(total - total_) / elapsed_s));
      if (past_.size() > past_max) past_.pop_front();
    }
    total_ = total;
    has_total_ = true;
  }
  std::optional<double> now() const {
    if (past_.empty()) return std::nullopt;
    return past_.back();
  }
  // ▁▂▅█, the highest of the past as the full height.
  std::string sparkline() const {
    static constexpr std::array<const char*, 8> bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const double top = past_.empty() ? 0 : *std::max_element(past_.begin(), past_.end());
    std::string text;
    for (const double value : past_) {
      const double share = top > 0 ? value / top : 0;
      text += bars.at(std::min<std::size_t>(static_cast<std::size_t>(share * 8), 7));
    }
    return text;
  }

 private:
  static constexpr std::size_t past_max = 60;
  std::deque<double> past_ = {};
  std::int64_t total_ = 0;
  bool has_total_ = false;
};

std::string rate_text(const Rate& rate) {
  if (!rate.now()) return "-";
  const double value = *rate.now();
  return (value < 10 ? std::to_string(value).substr(0, 3)
                     : grouped(static_cast<std::int64_t>(value + 0.5))) +
         "/s";
}

struct Look {
  outbox::Status status = {};
  std::vector<outbox::RequestSummary> requests = {};
};

class Watch {
 public:
  Watch(FollowedDatabase& database, const Globals& globals)
      : database_{database}, globals_{globals} {}

  Look look(std::size_t requests) {
    if (database_.follow()) delivered_ = enqueued_ = {};  // of another file's numbers
    SQLite::Database& db = database_.db();
    Look found{.status = outbox::status(db, globals_.destination),
               .requests = outbox::list_requests(db, globals_.destination, requests)};
    const auto now = SteadyClock::now();
    const double elapsed = std::chrono::duration<double>(now - looked_at_).count();
    delivered_.add(found.status.counts.delivered_total, elapsed);
    enqueued_.add(found.status.counts.enqueued, elapsed);
    looked_at_ = now;
    return found;
  }

  std::string screen(const Look& look) const {
    const outbox::Counts& counts = look.status.counts;
    std::string text = "outbox  " +
                       escaped(std::filesystem::path{globals_.db}.filename().native()) + "   " +
                       when(std::chrono::system_clock::now(), globals_) + "   wal " +
                       how_large(bytes_of_wal(globals_)) + "   q quits\n\n";
    text += "  delivered  " + padded(rate_text(delivered_)) + "  " + delivered_.sparkline() + "\n";
    text += "  enqueued   " + padded(rate_text(enqueued_)) + "  " + enqueued_.sparkline() + "\n";
    text += "  oldest due " +
            padded(counts.oldest_due_age ? how_long(*counts.oldest_due_age) : "-") + "\n\n";
    text += cli::table_of(look.status);
    for (const auto& destination : look.status.destinations) {
      for (const std::string& note : note_lines(destination, globals_)) {
        text += attention(note, globals_) + "\n";
      }
    }
    text += "\n" + cli::table_of(look.requests, globals_);
    return text;
  }

  std::string line(const Look& look) const {
    if (globals_.is_json) {
      const auto rate = [](const Rate& of) { return of.now() ? Json(*of.now()) : Json(nullptr); };
      return line_of({{"time", rfc3339(std::chrono::system_clock::now())},
                      {"delivered_per_s", rate(delivered_)},
                      {"enqueued_per_s", rate(enqueued_)},
                      {"status", json_of(look.status, globals_)}});
    }
    const outbox::Counts& counts = look.status.counts;
    std::string text = when(std::chrono::system_clock::now(), globals_) + "  " +
                       rate_text(delivered_) + " delivered  " + rate_text(enqueued_) +
                       " enqueued  " + grouped(counts.due) + " due  oldest " +
                       (counts.oldest_due_age ? how_long(*counts.oldest_due_age) : "-") + "  " +
                       grouped(counts.dead) + " dead";
    for (const auto& destination : look.status.destinations) {
      if (destination.paused) text += "  " + escaped(destination.name) + " paused";
      if (destination.hold)
        text += "  " + escaped(destination.name) + " on hold: " + to_string(destination.hold->kind);
    }
    return text + "\n";
  }

 private:
  static std::string padded(std::string text) {
    text.resize(std::max<std::size_t>(text.size(), 10), ' ');
    return text;
  }

  FollowedDatabase& database_;
  const Globals& globals_;
  Rate delivered_ = {};
  Rate enqueued_ = {};
  SteadyClock::time_point looked_at_ = SteadyClock::now();
};

void watch_on_terminal(Watch& watch, milliseconds interval, std::int64_t count) {
  const Terminal terminal;
  auto next = SteadyClock::now();
  Look look;
  for (std::int64_t looks = 0;;) {
    if (SteadyClock::now() >= next) {
      if (count > 0 && looks++ == count) return;
      look = watch.look(terminal.size().rows);
      next = SteadyClock::now() + interval;
    }
    terminal.draw(watch.screen(look));
    const auto left = std::chrono::ceil<milliseconds>(next - SteadyClock::now());
    const char key = terminal.key_within(std::max(left, milliseconds{0}));
    if (key == 'q' || key == 'Q' || key == '\x04') return;
  }
}

ExitCode watch(const WatchFlags& flags, const Globals& globals) {
  const milliseconds interval = std::max(duration_of(flags.interval), milliseconds{50});
  FollowedDatabase database{globals};
  require_used(database.db(), globals);
  Watch watch{database, globals};
  const char* const term = std::getenv("TERM");
  const bool is_screen = isatty(STDOUT_FILENO) != 0 && isatty(STDIN_FILENO) != 0 &&
                         !globals.is_json && term != nullptr && std::string_view{term} != "dumb";
  if (is_screen) {
    watch.look(1);  // says what is wrong before the screen is taken
    watch_on_terminal(watch, interval, flags.count);
    return done;
  }
  for (std::int64_t looks = 0; flags.count == 0 || looks < flags.count; ++looks) {
    if (looks > 0) std::this_thread::sleep_for(interval);
    std::cout << watch.line(watch.look(1)) << std::flush;
    if (!std::cout) break;
  }
  return done;
}

}  // namespace

void add_watch(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("watch",
                         "The queue, live: rates, holds, the newest requests; q quits\n\n"
                         "  outbox watch --db app.db\n"
                         "  outbox watch --db app.db --json --interval 10s >> queue.ndjson");
  const auto flags = std::make_shared<WatchFlags>();
  command->add_option("--interval", flags->interval, "Look this often (1s)")->check(a_duration);
  command->add_option("--count", flags->count, "End after this many looks (never)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return watch(*flags, globals); };
  });
}

}  // namespace cli

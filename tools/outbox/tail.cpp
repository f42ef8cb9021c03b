// tail: requests and deaths, as they are recorded.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <set>

#include "database_files.hpp"
#include "destination.hpp"
#include "events_json.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

using std::chrono::milliseconds;

struct TailFlags {
  std::int64_t lines = 10;
  std::string until = {};
  std::string interval = "200ms";
};

// Looks again and again for what is new. A commit is seen by PRAGMA data_version, so that a quiet
// database costs nothing.
class Tail {
 public:
  Tail(FollowedDatabase& database, const Globals& globals)
      : database_{database}, globals_{globals} {}

  void print_last(std::int64_t count) {
    version_ = version();  // before the list: a commit in between is looked at
    auto requests =
        outbox::list_requests(database_.db(), globals_.destination,
                              static_cast<std::size_t>(std::max<std::int64_t>(count, 1)));
    if (!requests.empty()) last_request_ = requests.front().id;
    requests.resize(std::min(requests.size(), static_cast<std::size_t>(count)));
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) print(*request);
    std::cout.flush();
  }

  void look() {
    if (database_.follow()) begin_again();
    const std::int64_t now = version();
    if (now == version_) return;
    version_ = now;
    print_requests();
    print_deaths();
    std::cout.flush();
  }

 private:
  // Ids and times of the file that was there before mean nothing in this one.
  void begin_again() {
    std::cerr << "! another file is in the place of " << escaped(globals_.db)
              << ": goes on with what happens there\n";
    last_request_ = 0;
    known_dead_.clear();
    deaths_since_ = std::chrono::system_clock::now();
    print_last(0);
  }

  std::int64_t version() { return database_.db().execAndGet("pragma data_version").getInt64(); }

  void print_requests() {
    // More than that between two looks are left out, and said to be.
    constexpr std::size_t requests_max = 10'000;
    std::vector<outbox::RequestSummary> fresh;
    for (std::size_t limit = 100;; limit *= 10) {
      fresh = outbox::list_requests(database_.db(), globals_.destination, limit);
      const bool is_whole = fresh.size() < limit || fresh.back().id <= last_request_;
      if (is_whole) break;
      if (limit < requests_max) continue;
      std::cerr << "! more than " << grouped(requests_max) << " requests at once: some left out\n";
      break;
    }
    for (auto request = fresh.rbegin(); request != fresh.rend(); ++request) {
      if (request->id > last_request_) print(*request);
    }
    if (!fresh.empty()) last_request_ = std::max(last_request_, fresh.front().id);
  }

  // Two looks may see the same instant, so what was printed of the last second is known.
  void print_deaths() {
    const auto now = std::chrono::system_clock::now();
    const auto dead = outbox::list_events(database_.db(), {.destination = globals_.destination,
                                                           .state = outbox::EventState::dead,
                                                           .settled_since = deaths_since_});
    std::set<std::int64_t> seen;
    for (const outbox::EventSummary& event : dead) {
      seen.insert(event.id);
      if (!known_dead_.contains(event.id)) print(event);
    }
    known_dead_ = std::move(seen);
    deaths_since_ = std::max(deaths_since_, now - std::chrono::seconds{2});
  }

  void print(const outbox::RequestSummary& request) const {
    if (globals_.is_json) {
      Json json{{"type", "request"}};
      json.update(json_of(request, globals_));
      std::cout << line_of(json);
      return;
    }
    std::cout << when(request.started_at, globals_) << "  " << escaped(request.destination) << "  "
              << grouped(request.events) << (request.events == 1 ? " event " : " events ")
              << request.first_id;
    if (request.last_id != request.first_id) std::cout << " to " << request.last_id;
    std::cout << "  " << (request.status ? std::to_string(*request.status) : "no answer") << "  "
              << request.took.count() << " ms  " << to_string(request.verdict);
    if (!request.reason.empty()) std::cout << ": " << escaped(shown(request.reason, globals_));
    std::cout << "\n";
  }

  void print(const outbox::EventSummary& event) const {
    if (globals_.is_json) {
      Json json{{"type", "dead"}};
      json.update(json_of(event, globals_));
      std::cout << line_of(json);
      return;
    }
    std::cout << when(event.settled_at.value_or(Time{}), globals_) << "  "
              << escaped(event.destination) << "  "
              << attention("event " + std::to_string(event.id) +
                               " is dead: " + escaped(shown(event.last_error, globals_)),
                           globals_)
              << "\n";
  }

  FollowedDatabase& database_;
  const Globals& globals_;
  std::int64_t version_ = 0;
  std::int64_t last_request_ = 0;
  Time deaths_since_ = std::chrono::system_clock::now();
  std::set<std::int64_t> known_dead_ = {};
};

ExitCode tail(const TailFlags& flags, const Globals& given) {
  Globals globals = given;
  globals.is_json = given.is_json || isatty(STDOUT_FILENO) == 0;  // for a program
  const milliseconds interval = std::max(duration_of(flags.interval), milliseconds{10});
  const auto stop_at = flags.until.empty()
                           ? std::chrono::steady_clock::time_point::max()
                           : std::chrono::steady_clock::now() + duration_of(flags.until);
  FollowedDatabase database{globals};
  require_used(database.db(), globals);
  Tail tail{database, globals};
  tail.print_last(flags.lines);
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= stop_at || !std::cout) return done;
    // It ends at once when the reader of a pipe has gone: there may be nothing to write for hours.
    const auto wait = std::chrono::ceil<milliseconds>(
        std::min<std::chrono::steady_clock::duration>(interval, stop_at - now));
    pollfd output{STDOUT_FILENO, 0, 0};
    const int wait_ms = static_cast<int>(std::min<std::int64_t>(wait.count(), 60'000));
    if (poll(&output, 1, wait_ms) > 0 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
      return done;
    tail.look();
  }
}

}  // namespace

void add_tail(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("tail",
                         "Follow requests and deaths as they are recorded, until Ctrl-C\n\n"
                         "NDJSON unless it goes to a terminal.\n\n"
                         "  outbox tail --db app.db\n"
                         "  outbox tail --db app.db | jq 'select(.type == \"dead\")'");
  const auto flags = std::make_shared<TailFlags>();
  command->add_option("--lines", flags->lines, "Begin with this many past requests (10)")
      ->check(CLI::Range(0, 10'000));
  command->add_option("--for", flags->until, "End after this time: 30s, 5m (never)")
      ->check(a_duration);
  command->add_option("--interval", flags->interval, "Look this often (200ms)")->check(a_duration);
  command->callback(
      [&globals, &action, flags] { action = [&globals, flags] { return tail(*flags, globals); }; });
}

}  // namespace cli

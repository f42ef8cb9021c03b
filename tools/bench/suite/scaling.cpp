#include <filesystem>
#include <stdexcept>
#include <vector>

#include "suite/backlog.hpp"
#include "suite/drain.hpp"

namespace bench {

namespace {

constexpr std::uint64_t few = 1'000;
constexpr std::uintmax_t disk_bytes_for_10_million = 12'000'000'000;

std::string words(std::uint64_t events) {
  if (events % 1'000'000 == 0) return std::to_string(events / 1'000'000) + " million";
  if (events % 1'000 == 0) return std::to_string(events / 1'000) + ",000";
  return std::to_string(events);
}

class Scaling {
 public:
  Scaling(Size size, const std::string& cli) : size_{size}, cli_{cli} {
    const bool is_full = size == Size::full;
    make_database(base_, {.events = static_cast<std::int64_t>(base_events())});
    make_database(few_, {.events = static_cast<std::int64_t>(few)});
    if (!is_full) return;
    backlogs_ = {{200'000, 5}, {1'000'000, 3}};
    const auto space = std::filesystem::space(std::filesystem::temp_directory_path());
    if (space.available >= disk_bytes_for_10_million) {
      backlogs_.push_back({10'000'000, 1});
    } else {
      print_note("10 million events were left out: less than 12 GB of disk are free");
    }
  }

  void measure() {
    for (const auto& [events, times] : backlogs_) measure_backlog(events, times);
    measure_history();
    measure_waiting();
  }

 private:
  struct BacklogRuns {
    std::uint64_t events;
    int times;
  };

  std::uint64_t base_events() const { return size_ == Size::full ? 20'000 : 2'000; }

  double drain(const std::string& path, std::uint64_t events) {
    const ProcessRun run = drain_by_cli(cli_, path, receiver_, {}, events);
    last_ = run;
    return static_cast<double>(events) / run.seconds;
  }
  double drain_copy(const std::string& from, std::uint64_t events) {
    copy_database(from, copy_);
    return drain(copy_, events);
  }

  // The base is measured before and after each: a long drain sees several moods of the machine.
  void measure_backlog(std::uint64_t events, int times) {
    say("scaling: " + words(events) + " pending");
    remove_database(large_);
    Pairs pairs;
    std::vector<double> peaks_mb;
    std::vector<double> seconds;
    for (int i = 0; i < times; ++i) {
      make_database(large_, {.events = static_cast<std::int64_t>(events)});
      double base = drain_copy(base_, base_events());
      note_base();
      pairs.ours.push_back(drain(large_, events));
      peaks_mb.push_back(last_.peak_mb);
      seconds.push_back(last_.seconds);
      base += drain_copy(base_, base_events());
      note_base();
      pairs.baseline.push_back(base / 2);
      if (i + 1 < times) remove_database(large_);
    }
    print_ratio(words(events) + " pending", "events/s", pairs, at_least(0.9));
    print_value(words(events) + " pending, peak memory", "MB", peaks_mb, below(25), base_peaks_mb_);
    if (events == backlogs_.front().events) {
      print_point(static_cast<double>(base_events()), median(base_seconds_),
                  median(base_peaks_mb_));
    }
    print_point(static_cast<double>(events), median(seconds), median(peaks_mb));
    history_ = events;
  }
  void note_base() {
    base_seconds_.push_back(last_.seconds);
    base_peaks_mb_.push_back(last_.peak_mb);
  }

  // What the largest backlog has left behind is the history.
  void measure_history() {
    if (history_ == 0) {
      make_database(large_, {.events = 20'000, .state = EventState::delivered});
      history_ = 20'000;
    }
    say("scaling: 1,000 beside " + words(history_) + " delivered");
    measure_few("1,000 beside " + words(history_) + " delivered", at_least(0.95), [this] {
      add_events(large_, {.events = static_cast<std::int64_t>(few)});
      return drain(large_, few);
    });
    remove_database(large_);
  }

  // All wait for the first one of their key, which is scheduled for the year 2100. The first
  // dispatcher that looks moves them aside, once.
  void measure_waiting() {
    const std::int64_t waiting = size_ == Size::full ? 200'000 : 2'000;
    const std::string path = scratch_path("waiting.db");
    const std::string who = words(static_cast<std::uint64_t>(waiting)) + " that wait for their key";
    say("scaling: 1,000 beside " + who);
    make_database(path, std::vector<Backlog>{
                            {.events = 1, .ordering_key = "k", .due_at_ms = 4'102'444'800'000},
                            {.events = waiting, .ordering_key = "k"}});
    drain(path, 0);
    print_value("first look at " + who, "s", {last_.seconds}, {});
    require_waiting(path, waiting);
    add_events(path, {.events = static_cast<std::int64_t>(few)});
    measure_few("1,000 beside " + who, at_least(0.9),
                [this, &path] { return drain_copy(path, few); });
    remove_database(path);
  }

  static void require_waiting(const std::string& path, std::int64_t events) {
    const std::int64_t found = query(path, "select count(*) from outbox_queue where state = 1");
    if (found != events) throw std::runtime_error{std::to_string(found) + " events wait"};
  }

  void measure_few(const std::string& name, Goal goal, const std::function<double()>& ours) {
    std::vector<double> peaks_mb;
    const Pairs pairs = alternate(
        size_ == Size::full ? 11 : 1,
        [&] {
          const double rate = ours();
          peaks_mb.push_back(last_.peak_mb);
          return rate;
        },
        [this] { return drain_copy(few_, few); });
    print_ratio(name, "events/s", pairs, goal);
    print_value(name + ", peak memory", "MB", peaks_mb, below(25));
  }

  Size size_;
  const std::string& cli_;
  Receiver receiver_;
  std::vector<BacklogRuns> backlogs_ = {{10'000, 1}};
  std::string base_ = scratch_path("base.db");
  std::string few_ = scratch_path("few.db");
  std::string copy_ = scratch_path("copy.db");
  std::string large_ = scratch_path("large.db");
  std::uint64_t history_ = 0;
  ProcessRun last_ = {};
  std::vector<double> base_seconds_;
  std::vector<double> base_peaks_mb_;
};

}  // namespace

void measure_scaling(Size size, const std::string& cli) {
  Scaling{size, cli}.measure();
}

}  // namespace bench

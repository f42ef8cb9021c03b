#pragma once

// How far a long command is: on a terminal a bar on stderr, and what Ctrl-C says at the end.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "globals.hpp"

namespace cli {

/// From now on Ctrl-C ends the program at once, with its exit code, a clean terminal and a line
/// that says how far it got. What is under way is as safe as in a crash.
void end_at_interrupt();

/// What Ctrl-C writes to the terminal before anything else; empty: nothing. At most 127 bytes.
void restore_at_interrupt(const std::string& sequence);

class Progress {
 public:
  /// What an interrupt leaves: all that was shown, or what `keep` was told, at first nothing.
  enum class Leaves { shown, kept };

  /// `done_word` follows the count: "retried". `total`: 0 when it is not known.
  Progress(std::string done_word, std::int64_t total, Leaves leaves = Leaves::shown);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// So many are done. Draws ten times a second at most.
  void show(std::int64_t done);

  /// `commit` makes this many last. No interrupt comes between it and this being known.
  void keep(std::int64_t done, const std::function<void()>& commit);

 private:
  void tell(std::int64_t done);
  void draw(std::int64_t done);

  using SteadyClock = std::chrono::steady_clock;
  std::string done_word_;
  std::int64_t total_;
  Leaves leaves_;
  bool is_on_terminal_;
  bool is_drawn_ = false;
  SteadyClock::time_point begun_ = SteadyClock::now();
  SteadyClock::time_point drawn_ = {};
};

}  // namespace cli

#pragma once

// The rows of the table that `tools/bench.sh` prints: one line of text each, fields between tabs.
//
//     row  NAME  UNIT  OURS  MIN  MAX  BASELINE  RATIO  GOAL  VERDICT
//     point  EVENTS  SECONDS  PEAK_MB          for the plot
//     note  TEXT

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// How much is measured: `quick` only shows that the benchmark works.
enum class Size { quick, full };

inline double seconds_since(Clock::time_point begin) {
  return Seconds{Clock::now() - begin}.count();
}

/// The value below which `share` of the values lie; 0 when there are none.
double quantile(std::vector<double> values, double share);
double median(const std::vector<double>& values);

struct Goal {
  enum class Kind { none, at_least, below };
  Kind kind = Kind::none;
  double value = 0;
};
inline Goal at_least(double value) {
  return {Goal::Kind::at_least, value};
}
inline Goal below(double value) {
  return {Goal::Kind::below, value};
}

/// Ours and the baseline, measured in turn: the machine's mood changes, so that only a pair that
/// was measured side by side says something.
struct Pairs {
  std::vector<double> ours = {};
  std::vector<double> baseline = {};

  /// The median of the ratios of the pairs.
  double ratio() const;
};

/// Runs all `times` times in turn, another one first each time; returns the values of each.
std::vector<std::vector<double>> in_turn(int times,
                                         const std::vector<std::function<double()>>& works);
/// The same of two.
Pairs alternate(int times, const std::function<double()>& ours,
                const std::function<double()>& baseline);

/// A row whose goal is about ours / baseline.
void print_ratio(const std::string& name, const std::string& unit, const Pairs& pairs, Goal goal);
/// A row whose goal is about the value itself. `baseline` is shown when there is one.
void print_value(const std::string& name, const std::string& unit,
                 const std::vector<double>& values, Goal goal,
                 const std::vector<double>& baseline = {});
void print_point(double events, double seconds, double peak_mb);
void print_note(const std::string& text);

/// One line for people, on stderr.
void say(const std::string& text);

}  // namespace bench

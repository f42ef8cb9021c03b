#include "suite/table.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace bench {

namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string words_of(const Goal& goal, const std::string& unit) {
  if (goal.kind == Goal::Kind::none) return "";
  return (goal.kind == Goal::Kind::at_least ? ">= " : "< ") + number(goal.value) + " " + unit;
}

const char* verdict_of(const Goal& goal, double value) {
  if (goal.kind == Goal::Kind::none) return "";
  const bool is_met = goal.kind == Goal::Kind::at_least ? value >= goal.value : value < goal.value;
  return is_met ? "ok" : "missed";
}

void print_row(const std::string& name, const std::string& unit, const std::vector<double>& ours,
               const std::vector<double>& baseline, const std::string& ratio,
               const std::string& goal, const char* verdict) {
  if (ours.empty()) throw std::runtime_error{name + ": nothing was measured"};
  const auto [least, most] = std::minmax_element(ours.begin(), ours.end());
  std::cout << "row\t" << name << '\t' << unit << '\t' << number(median(ours)) << '\t'
            << number(*least) << '\t' << number(*most) << '\t'
            << (baseline.empty() ? "" : number(median(baseline))) << '\t' << ratio << '\t' << goal
            << '\t' << verdict << std::endl;
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

double median(const std::vector<double>& values) {
  return quantile(values, 0.5);
}

double Pairs::ratio() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(ours.size(), baseline.size()); ++i) {
    ratios.push_back(ours[i] / baseline[i]);
  }
  return median(ratios);
}

std::vector<std::vector<double>> in_turn(int times,
                                         const std::vector<std::function<double()>>& works) {
  std::vector<std::vector<double>> values(works.size());
  for (std::size_t i = 0; i < static_cast<std::size_t>(times); ++i) {
    for (std::size_t turn = 0; turn < works.size(); ++turn) {
      const std::size_t work = (i + turn) % works.size();
      values[work].push_back(works[work]());
    }
  }
  return values;
}

Pairs alternate(int times, const std::function<double()>& ours,
                const std::function<double()>& baseline) {
  auto values = in_turn(times, {baseline, ours});
  return {.ours = std::move(values[1]), .baseline = std::move(values[0])};
}

void print_ratio(const std::string& name, const std::string& unit, const Pairs& pairs, Goal goal) {
  const double ratio = pairs.ratio();
  print_row(name, unit, pairs.ours, pairs.baseline, number(ratio), words_of(goal, "x"),
            verdict_of(goal, ratio));
}

void print_value(const std::string& name, const std::string& unit,
                 const std::vector<double>& values, Goal goal,
                 const std::vector<double>& baseline) {
  const double ratio = baseline.empty() ? 0 : median(values) / median(baseline);
  print_row(name, unit, values, baseline, baseline.empty() ? "" : number(ratio),
            words_of(goal, unit), verdict_of(goal, median(values)));
}

void print_point(double events, double seconds, double peak_mb) {
  std::cout << "point\t" << number(events) << '\t' << number(seconds) << '\t' << number(peak_mb)
            << std::endl;
}

void print_note(const std::string& text) {
  std::cout << "note\t" << text << std::endl;
}

void say(const std::string& text) {
  std::cerr << text << std::endl;
}

}  // namespace bench

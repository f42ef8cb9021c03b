#pragma once

// Durations, sorted into buckets: what a Prometheus histogram is made of.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace outbox {
inline namespace v1 {

/// The upper bounds of the buckets, ascending; a last bucket holds what is longer than all.
using HistogramBounds = std::array<std::chrono::milliseconds, 12>;

/// How long durations were. Copied as a value. Threads: one at a time.
struct Histogram {
  HistogramBounds bounds = {};
  /// `counts[i]`: how many durations were longer than `bounds[i - 1]`, and not longer than
  /// `bounds[i]`.
  std::array<std::uint64_t, std::tuple_size_v<HistogramBounds> + 1> counts = {};
  std::chrono::milliseconds sum{0};

  void add(std::chrono::milliseconds duration) {
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), duration);
    ++counts[static_cast<std::size_t>(bucket - bounds.begin())];
    sum += duration;
  }
};

/// Of a request: 10 ms to a minute.
inline constexpr HistogramBounds request_duration_bounds = [] {
  using std::chrono::milliseconds;
  return HistogramBounds{milliseconds{10},     milliseconds{25},     milliseconds{50},
                         milliseconds{100},    milliseconds{250},    milliseconds{500},
                         milliseconds{1'000},  milliseconds{2'500},  milliseconds{5'000},
                         milliseconds{10'000}, milliseconds{30'000}, milliseconds{60'000}};
}();

/// Of the way from the app's transaction to the endpoint: 50 ms to a day.
inline constexpr HistogramBounds delivery_lag_bounds = [] {
  using std::chrono::hours, std::chrono::milliseconds, std::chrono::minutes, std::chrono::seconds;
  return HistogramBounds{milliseconds{50}, milliseconds{100}, milliseconds{250}, milliseconds{500},
                         seconds{1},       seconds{5},        seconds{30},       minutes{1},
                         minutes{5},       minutes{30},       hours{4},          hours{24}};
}();

}  // namespace v1
}  // namespace outbox

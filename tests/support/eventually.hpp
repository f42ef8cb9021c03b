#pragma once

// Facts that another thread or process makes true.

#include <chrono>
#include <thread>

namespace support {

/// The bound of a wait; only a broken build comes near it.
inline constexpr auto long_enough = std::chrono::seconds{30};

/// Polls `fact` until it holds; false: it never did.
template <class Fact>
bool becomes_true(Fact fact) {
  const auto deadline = std::chrono::steady_clock::now() + long_enough;
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

}  // namespace support

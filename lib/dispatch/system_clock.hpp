#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "core/clock.hpp"

namespace outbox::dispatch {

/// The clock of real life, or the one that the host has given.
class SystemClock final : public core::Clock {
 public:
  using Function = std::function<std::chrono::system_clock::time_point()>;

  explicit SystemClock(Function given) : given_{std::move(given)} {}

  core::Instant now() const override {
    return given_ ? std::chrono::floor<std::chrono::milliseconds>(given_()) : core::system_now();
  }

 private:
  Function given_;
};

}  // namespace outbox::dispatch

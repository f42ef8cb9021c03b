#pragma once

#include "core/clock.hpp"

namespace outbox::dispatch {

/// The clock of real life.
class SystemClock final : public core::Clock {
 public:
  core::Instant now() const override { return core::system_now(); }
};

}  // namespace outbox::dispatch

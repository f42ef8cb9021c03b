#pragma once

// Event ids.

#include <array>
#include <cstdint>
#include <string>

#include "core/clock.hpp"

namespace outbox::core {

/// A UUID of version 7 (RFC 9562, 5.7) from the time and from random bytes, as 36 lower-case
/// letters.
std::string uuid7(Instant now, const std::array<std::uint8_t, 10>& random);

}  // namespace outbox::core

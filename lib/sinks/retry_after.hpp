#pragma once

// How long an endpoint asks to be left alone.

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"

namespace outbox::sinks {

/// No endpoint is asked again sooner, whatever it says.
inline constexpr std::chrono::milliseconds retry_after_min = std::chrono::seconds{1};

/// The wait that a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3), between
/// `retry_after_min`, which is also that of one that cannot be read, and `core::retry_after_max`;
/// none: `value` is empty. A date is relative to the answer's own `date`, since the endpoint's
/// clock and ours may differ, and to `now` without one: CURLINFO_RETRY_AFTER knows only ours.
std::optional<std::chrono::milliseconds> retry_after(const std::string& value,
                                                     const std::string& date, core::Instant now);

}  // namespace outbox::sinks

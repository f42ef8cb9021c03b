#pragma once

// How long an endpoint asks to be left alone.

#include <chrono>
#include <optional>
#include <string_view>

#include "core/clock.hpp"

namespace outbox::core {

/// No endpoint is asked again sooner, whatever it says.
inline constexpr std::chrono::milliseconds retry_after_min = std::chrono::seconds{1};

/// The instant in an HTTP-date, in any of its three forms (RFC 9110, 5.6.7); none: it is no date.
std::optional<Instant> http_date(std::string_view text);

/// The wait that a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3), between
/// `retry_after_min` and `retry_after_max`; none: it is neither. A date is relative to the answer's
/// own `date`, since the endpoint's clock and ours may differ, and to `now` without one.
std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::string_view date,
                                                     Instant now);

}  // namespace outbox::core

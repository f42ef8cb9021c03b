#pragma once

// The two ways in which the wire writes time.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

/// "2024-10-20T15:51:35.059000Z": UTC with six digits, as in the Track API's sample. Of a year that
/// four digits cannot hold: a text that is no instant.
std::string utc_text(std::chrono::sys_time<std::chrono::microseconds> instant);

/// The default timestamp of the event after one with `last`: now, and at least 1 ms later ("when
/// multiple events fire in the same handler, offset each by 1 ms": the Track API's advice). From
/// more than a minute ahead of the clock it goes back to it: the clock was wrong, or events come
/// faster than one a millisecond.
std::chrono::sys_time<std::chrono::microseconds> timestamp_after(
    std::chrono::sys_time<std::chrono::microseconds> last,
    std::chrono::sys_time<std::chrono::microseconds> now);

/// Throws `std::invalid_argument` that names `field` unless `instant` is of the years 1970 to 9999
/// (where the system's clock counts nanoseconds, it ends in 2262).
void require_instant(const char* field, std::chrono::system_clock::time_point instant);

/// Why `text` is no ISO 8601 instant such as "2024-10-20T15:51:35.059000Z" or
/// "2024-10-20T17:51:35+02:00"; none: it is one. The year has four digits and a zone is needed.
std::optional<std::string> timestamp_problem(std::string_view text);

}  // namespace outbox::core

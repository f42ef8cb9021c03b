#include "sinks/retry_after.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <ctime>

#include "core/event/limits.hpp"

namespace outbox::sinks {

std::optional<std::chrono::milliseconds> retry_after(const std::string& value,
                                                     const std::string& date, core::Instant now) {
  using std::chrono::seconds;
  constexpr std::time_t none = -1;
  if (value.empty()) return std::nullopt;
  seconds wait{0};
  if (value.find_first_not_of("0123456789") == std::string::npos) {
    const std::size_t first = std::min(value.find_first_not_of('0'), value.size() - 1);
    // Seven digits are more than the longest wait; what stands behind them could only overflow.
    wait = seconds{std::stol(value.substr(first, 7))};
  } else {
    const std::time_t until = curl_getdate(value.c_str(), nullptr);
    if (until == none) return retry_after_min;
    const std::time_t sent = curl_getdate(date.c_str(), nullptr);
    wait = seconds{until - (sent == none ? core::unix_ms(now) / 1000 : sent)};
  }
  return std::clamp<std::chrono::milliseconds>(wait, retry_after_min, core::retry_after_max);
}

}  // namespace outbox::sinks

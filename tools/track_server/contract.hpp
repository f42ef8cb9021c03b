#pragma once

// What the Track API asks of a request, as a function without a socket. It shares no code with the
// library on purpose: a mistake there is not repeated here, so it shows.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace track_server {

// Documented: "1,000 events or 2 MB" per request; over it the answer is 400, not 413.
inline constexpr std::size_t batch_events_max = 1'000;
inline constexpr std::size_t body_bytes_max = 2'000'000;
/// Deeper JSON is refused, so that no body can exhaust the stack.
inline constexpr std::size_t json_depth_max = 512;

struct Verdict {
  int status = 200;  ///< 200, 400 or 401.
  std::string message = "accepted";
  /// Compact JSON text, keys in the order in which they came. Empty unless `status` is 200: a batch
  /// is accepted or refused as a whole.
  std::vector<std::string> events = {};
};

/// Judges a POST to `path` by its body and the values of its `Authorization` and `x-api-key`
/// headers. An empty `token` allows any credential but none.
///
/// Threads: any; pure.
Verdict judge(std::string_view body, std::string_view authorization, std::string_view api_key,
              std::string_view token, std::string_view path = "/api/track");

/// The JSON body of an answer; `success` is true when `status` is 2xx.
std::string answer_body(int status, std::string_view response_id, std::string_view message);

/// True when `body`, an answer's, is a JSON object with `success: false`.
bool says_refused(std::string_view body);

}  // namespace track_server

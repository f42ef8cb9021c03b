#pragma once

// For a page of your own: lists that come within a bounded time, however large the log is, and what
// went over the wire. Reads only. `outbox serve` is made of these and of outbox/inspect.hpp.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"
#include "outbox/inspect.hpp"

namespace outbox {
inline namespace v1 {

/// A part of the events that a filter lets through.
struct EventPage {
  std::vector<EventSummary> events = {};
  /// What comes next: give it as `ListOptions::after_id`. None: there is nothing more.
  std::optional<std::int64_t> next_after_id = {};
  /// False: time was up before the page was full. `next_after_id` goes on where it stopped.
  bool is_complete = true;
  std::int64_t looked_at = 0;  ///< How many events were compared with the filter.
};

/// As `list_events`, but stops looking after `time_max`. A page holds `options.limit`
/// events, 100 without one. The first look is always made, so that each page gets further.
///
/// Throws and threads: as `list_events`.
[[nodiscard]] OUTBOX_API EventPage browse_events(
    ConnectionRef connection, const EventFilter& filter = {}, const ListOptions& options = {},
    std::chrono::milliseconds time_max = std::chrono::milliseconds{150});

/// The requests of a span of time.
struct TrafficSlot {
  std::chrono::system_clock::time_point begins_at = {};
  std::int64_t delivered = 0;  ///< Requests that were accepted.
  std::int64_t refused = 0;    ///< Requests whose content was refused.
  std::int64_t failed = 0;     ///< All others: no answer, 5xx, 401, 404, …
  std::int64_t events = 0;     ///< Events of the accepted requests.
  std::chrono::milliseconds took_p50{0};
  std::chrono::milliseconds took_p95{0};
};

struct TrafficOptions {
  std::string destination = {};  ///< Empty: all.
  std::chrono::milliseconds window = std::chrono::hours{1};
  std::chrono::milliseconds slot = std::chrono::minutes{1};
};

struct Traffic {
  std::vector<TrafficSlot> slots = {};  ///< The oldest first, without gaps; the last one ends now.
  /// False: there were more than 50,000 requests, and the slots hold the newest of them.
  bool is_complete = true;
};

/// What went over the wire, from the request log: which keeps the requests that delivered something
/// as long as their events, and of the others the newest 10,000.
///
/// Throws: `std::invalid_argument` for a window that is not 1 to 1,000 whole slots. The rest and
/// threads: as `list_requests`.
[[nodiscard]] OUTBOX_API Traffic traffic(ConnectionRef connection,
                                         const TrafficOptions& options = {});

}  // namespace v1
}  // namespace outbox

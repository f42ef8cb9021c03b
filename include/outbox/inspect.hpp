#pragma once

// Looking at the queue: what `outbox status` shows, for a page of your own. Reads only, and never
// counts delivered rows: the cost is that of what is undelivered.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/export.hpp"

namespace outbox {
inline namespace v0 {

/// Counts of events. `enqueued = pending + delivered + dead + discarded + removed`.
struct Counts {
  std::int64_t pending = 0;    ///< Neither delivered nor dead nor discarded.
  std::int64_t due = 0;        ///< Pending, and due now.
  std::int64_t scheduled = 0;  ///< Pending, and not yet due.
  std::int64_t retrying = 0;   ///< Pending, with refusals of its own.
  std::int64_t dead = 0;
  std::int64_t discarded = 0;
  std::int64_t delivered = 0;        ///< Still stored as delivered.
  std::int64_t enqueued = 0;         ///< Of the file: every event ever. Of a destination: the sum.
  std::int64_t removed = 0;          ///< Pruned or erased, of any state.
  std::int64_t delivered_total = 0;  ///< Deliveries ever recorded.
  std::int64_t requests_total = 0;   ///< Requests ever answered or failed.
  /// Age of the oldest due event: since it was enqueued or became due.
  std::optional<std::chrono::milliseconds> oldest_due_age = {};
};

/// A person stopped the destination.
struct Pause {
  std::string reason;
  std::chrono::system_clock::time_point since;
};

/// The dispatcher waits, by its own decision.
struct Hold {
  std::string kind;    ///< "backing_off", "unauthorized" or "misconfigured".
  std::string reason;  ///< E.g. "HTTP 503".
  std::chrono::system_clock::time_point since;
  std::chrono::system_clock::time_point until;  ///< The next try.
  std::int64_t tries = 0;                       ///< Failed requests since `since`.
};

/// A dispatcher that is alive: it holds the destination's lock.
struct Serving {
  std::int64_t pid = 0;
  std::string host = {};
  std::chrono::system_clock::time_point since = {};
  std::chrono::system_clock::time_point last_round = {};
};

struct DestinationStatus {
  std::string name = {};
  Counts counts = {};
  std::optional<Pause> paused = {};
  std::optional<Hold> hold = {};
  std::optional<Serving> dispatcher = {};
  /// False: no dispatcher has ever served it; perhaps a typo in someone's SQL.
  bool was_ever_served = false;
};

struct Status {
  int schema_version = 0;
  Counts counts = {};  ///< Of all destinations that were asked for.
  std::vector<DestinationStatus> destinations = {};
};

/// The state of the queue at `now`; of one destination, when it is named.
///
/// Throws: `schema_error` without a schema or with a newer one; `database_error`.
/// Threads: the caller's, which must own `connection`.
OUTBOX_API Status
status(ConnectionRef connection, const std::string& destination = {},
       std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

}  // namespace v0
}  // namespace outbox

#pragma once

// What a dispatcher tells its host as it happens: for logs and metrics.
//
//     options.observer = [](const outbox::Notice& notice) { log(notice.text); };

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outbox/export.hpp"
#include "outbox/sink.hpp"
#include "outbox/states.hpp"
#include "outbox/verdict.hpp"

namespace outbox {
inline namespace v1 {

/// A delivered event that has headers: what a host needs to go on with a trace.
struct TracedEvent {
  std::int64_t id = 0;
  std::string event_id = {};
  MessageHeaders headers = {};  ///< As `headers_of` gives them: `traceparent`, …
  std::chrono::system_clock::time_point enqueued_at = {};
};

/// Something that happened. Never holds a payload, an e-mail address, a token, or words of an HTTP
/// endpoint, which may quote any of them: those are in the request log. A relay's server is quoted
/// with what it says of an error, and a sink of the host's with its `reason`, addresses masked.
struct Notice {
  enum class Kind {
    request,  ///< A request has ended: `events`, `status`, `verdict`, `took`.
    dead,     ///< An event has died: `id`.
    suspect,  ///< An event was refused or failed alone, for the 1st, 2nd, 4th, 8th … time: `id`.
    hold,     ///< The destination waits, or waits for another reason; after `active`: still.
    resumed,  ///< It does not wait any more.
    active,   ///< This dispatcher was elected: it delivers from here on.
    standby,  ///< Another one delivers; this one will take over when that ends.
    database_trouble,  ///< The database cannot be used now; it is opened again.
    warning,           ///< Something about the database or the process that may cost events.
  };

  Kind kind = Kind::request;
  std::string destination = {};
  std::string text = {};  ///< One line for people: "HTTP 503", "refused: HTTP 400", …
  std::size_t events = 0;
  int status = 0;                          ///< HTTP status; 0: no answer, or not of HTTP.
  std::optional<Verdict> verdict = {};     ///< Of a `request`.
  std::optional<HoldKind> hold_kind = {};  ///< Of a `hold`.
  std::chrono::milliseconds took{0};
  std::int64_t id = 0;
  /// Of a `request`: the events that it delivered and that have headers. Headers
  /// are what the app wrote; whether they may be logged is for the app to say.
  std::vector<TracedEvent> traced = {};
};

/// The name of a kind, for a log: "request", "dead", …, "database_trouble".
constexpr const char* to_string(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::request:
      return "request";
    case Notice::Kind::dead:
      return "dead";
    case Notice::Kind::suspect:
      return "suspect";
    case Notice::Kind::hold:
      return "hold";
    case Notice::Kind::resumed:
      return "resumed";
    case Notice::Kind::active:
      return "active";
    case Notice::Kind::standby:
      return "standby";
    case Notice::Kind::database_trouble:
      return "database_trouble";
    case Notice::Kind::warning:
      return "warning";
  }
  return "warning";
}

/// Told after what it is told of has been recorded. What it throws is dropped.
///
/// Threads: the dispatcher's own, so it must not take long, and `stop` may not be called in it.
using Observer = std::function<void(const Notice&)>;

}  // namespace v1
}  // namespace outbox

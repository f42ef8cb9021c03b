#pragma once

// For the tests of an app: an endpoint that records and answers what it is told, a database of the
// test's own, a clock that stands still, and what is in the queue as values. The target is
// `outbox::testing`; docs/testing.md shows it with doctest, Catch2 and GoogleTest.
//
//     outbox::testing::TestDatabase database;
//     outbox::testing::RecordingEndpoint endpoint;
//     invite(database.handle(), …);                            // the app's own code
//     outbox::deliver_once(database, endpoint.endpoint());
//     CHECK(endpoint.requests().size() == 1);

#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "outbox/connection.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/sink.hpp"

namespace outbox {
inline namespace v1 {
namespace testing {

/// A migrated database in WAL, in a temporary folder of its own, with one connection. Both end with
/// it, so a `Dispatcher` on it must have ended before.
class TestDatabase {
 public:
  /// Throws: `std::runtime_error` when there is no room; `database_error`.
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// For a `Dispatcher`, or for a connection of the app's own kind.
  const std::string& path() const { return path_; }
  /// The connection; also how it is lent to the library's functions.
  sqlite3* handle() const { return handle_; }
  sqlite3* getHandle() const { return handle_; }

 private:
  std::string folder_;
  std::string path_;
  sqlite3* handle_ = nullptr;
};

/// One request as it was sent.
struct SentRequest {
  std::string destination = {};
  std::string kind = {};  ///< Empty: a track; else "identify", "group", …
  std::vector<std::string> payloads = {};

  bool operator==(const SentRequest&) const = default;
};

/// Takes what is sent, keeps it, and answers at once. Threads: any.
class RecordingEndpoint {
 public:
  RecordingEndpoint();
  ~RecordingEndpoint();
  RecordingEndpoint(const RecordingEndpoint&) = delete;
  RecordingEndpoint& operator=(const RecordingEndpoint&) = delete;

  /// For a `Dispatcher` or `deliver_once`; several share what is kept. May outlive this.
  Endpoint endpoint() const;

  /// The next request is answered so, the one after it by the next call's outcome, and so on; then
  /// each is accepted.
  void answer_next(Outcome outcome);
  /// Every request from now on is answered by what `answer` says of it.
  void answer_by(std::function<Outcome(const SentRequest&)> answer);

  /// All requests so far, accepted or not.
  std::vector<SentRequest> requests() const;
  /// The payloads of all requests that were accepted, in order.
  std::vector<std::string> accepted() const;

 private:
  struct State;
  class RecordingSink;
  std::shared_ptr<State> state_;
};

/// Outcomes for `answer_next`.
Outcome accepted();
Outcome refused(std::string reason = "HTTP 400");      ///< The content's fault.
Outcome unavailable(std::string reason = "HTTP 503");  ///< The endpoint's: events stay pending.
Outcome unauthorized(std::string reason = "HTTP 401");
Outcome lost(std::string reason = "no answer");  ///< Sent, and no answer.

/// Stands still until it is told otherwise; begins at the system's time. For
/// `DispatcherOptions::clock`: the copy that it makes follows this one. Threads: any.
class ManualClock {
 public:
  ManualClock();
  std::chrono::system_clock::time_point now() const;
  void advance(std::chrono::milliseconds by);
  std::function<std::chrono::system_clock::time_point()> function() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// An event as a test compares it; `<<` writes it on one line.
struct StoredEvent {
  std::string destination = {};
  std::string kind = {};        ///< Empty: a track.
  std::string event_name = {};  ///< Of a track.
  std::string user_id = {};
  std::string group_id = {};
  std::string ordering_key = {};
  std::string payload = {};
  std::string last_error = {};

  bool operator==(const StoredEvent&) const = default;
};
std::ostream& operator<<(std::ostream& out, const StoredEvent& event);
std::ostream& operator<<(std::ostream& out, const SentRequest& request);

/// The events in a state, in commit order. Throws: as `list_details`.
std::vector<StoredEvent> pending(ConnectionRef connection);
std::vector<StoredEvent> delivered(ConnectionRef connection);
std::vector<StoredEvent> dead(ConnectionRef connection);

}  // namespace testing
}  // namespace v1
}  // namespace outbox

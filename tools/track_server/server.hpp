#pragma once

// A local stand-in of the Track API: it keeps the API's contract, remembers what it accepted, and
// misbehaves on request. For tests, demos and development; it is no server for the open net.
//
//     track_server::TrackServer server;
//     server.misbehave({.status = 503, .requests_max = 2});
//     … deliver to server.url() …
//     server.wait_for_events(1, std::chrono::seconds{5});

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace track_server {

/// How a request is answered other than by the contract. The events of a misbehaving answer are
/// accepted when the contract allows them and the answer does not deny it: its status is 2xx, it is
/// no web page, and its body does not say `success: false`.
struct Misbehaviour {
  int status = 0;     ///< Answer this status; 0: the contract's.
  double rate = 1.0;  ///< Share of requests that misbehave, 0 to 1, evenly spread; never random.
  std::int64_t requests_max = -1;  ///< Misbehave for so many requests, then behave; -1: no end.
  /// Before each misbehaving answer; the request is counted and its events are accepted before it.
  std::chrono::milliseconds latency{0};
  std::string retry_after = {};   ///< Value of a Retry-After header; empty: none.
  std::string date = {};          ///< Value of the Date header; empty: the time.
  std::string body = {};          ///< Body of the answer; empty: the contract's. 204 has none.
  std::string content_type = {};  ///< Empty: "application/json", or "text/html" for a web page.
  bool is_web_page = false;       ///< An HTML page, with status 200 unless `status` is set.
  std::string only_with = {};     ///< Only requests whose body holds this text misbehave.
  bool closes = false;            ///< Closes without an answer; nothing is accepted.
  bool loses_answer = false;      ///< Accepts what the contract allows, then closes.
};

/// One request as it came, and what became of it.
struct Request {
  std::string authorization = {};
  std::string api_key = {};
  std::string content_type = {};
  std::string user_agent = {};
  std::string body = {};
  int status = 0;          ///< Of the answer; 0: closed without one.
  std::size_t events = 0;  ///< How many were accepted.
  std::string method = {};
  std::string path = {};  ///< "/api/track", "/api/identify" or "/api/group".
};

struct Options {
  std::string host = "127.0.0.1";
  int port = 0;  ///< 0: any that is free.
  /// When set, only `Authorization: Bearer <token>` or `x-api-key: <token>` will do; empty: either
  /// header with anything in it.
  std::string token = {};
  /// Accepted events are appended here, one line of compact JSON each, before the answer; empty:
  /// none.
  std::string log_path = {};
  bool keeps_events = true;  ///< Keep accepted events for `events()`; off: only count them.
  /// Called for every request, also for other paths and methods, which the counts below leave out.
  /// Must not throw or call `stop()`. Threads: the request's; several at once.
  std::function<void(const Request&)> on_request = {};
};

/// Serves from construction to `stop()`.
///
/// "Requests" below are POSTs to `/api/track`, `/api/identify` and `/api/group`. Signals of the
/// process stay as they were. Threads: all members, any thread.
class TrackServer {
 public:
  /// Throws: `std::runtime_error` when it cannot listen, or the log cannot be opened.
  explicit TrackServer(Options options = {});
  /// As `stop()`.
  ~TrackServer();
  TrackServer(const TrackServer&) = delete;
  TrackServer& operator=(const TrackServer&) = delete;

  /// Closes all connections, also those with a request under way, and wakes those who wait below.
  /// What was accepted stays to be read. Further calls do nothing.
  void stop();

  int port() const;
  /// "http://127.0.0.1:PORT/api/track"
  std::string url() const;

  /// Replaces any earlier misbehaviour, and counts from the next request.
  void misbehave(Misbehaviour misbehaviour);
  void behave();
  void set_token(std::string token);

  /// Accepted events, compact JSON text in order of arrival, keys in the order in which they came.
  std::vector<std::string> events() const;
  std::size_t event_count() const;
  std::size_t request_count() const;
  /// The newest 1,000, or fewer when their bodies take over 64 MB; the oldest first.
  std::vector<Request> requests() const;

  /// True when at least `count` were accepted (have arrived) within `time_max`; false also at once
  /// when the server is stopped and they were not.
  bool wait_for_events(std::size_t count, std::chrono::milliseconds time_max) const;
  bool wait_for_requests(std::size_t count, std::chrono::milliseconds time_max) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace track_server

#pragma once

// Where batches go: the seam between the dispatcher and the network. `outbox::track_api` is one
// sink; write another one to fake an endpoint in a test, or to hand events to another engine.
//
//     class PrintingSink final : public outbox::Sink { … };
//     outbox::Dispatcher dispatcher{"app.db", outbox::Endpoint{std::make_unique<PrintingSink>()}};
//
// docs/sinks.md has a whole one.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "outbox/export.hpp"
#include "outbox/verdict.hpp"

namespace outbox {
inline namespace v1 {

/// Names and values, in the order in which they are sent.
using MessageHeaders = std::vector<std::pair<std::string, std::string>>;

/// One event of a batch: a slice of its body, and what a sink may route by.
struct BatchEvent {
  std::int64_t id = 0;  ///< The row, in commit order.
  /// The same at every try: a receiver recognises a repetition by it. Any text that SQL stored: in
  /// a header use `message_id` (outbox/relay.hpp).
  std::string event_id = {};
  std::string kind = {};  ///< Empty: a track, or plain SQL that named none.
  std::string ordering_key = {};
  std::string headers = {};  ///< A JSON object of strings; empty: none.
  std::chrono::system_clock::time_point enqueued_at = {};
  std::size_t offset = 0;  ///< Of its payload in the body.
  std::size_t bytes = 0;
};

/// The events of one request, in commit order.
struct Batch {
  std::string destination = {};
  std::string body = {};  ///< A JSON array of the stored payloads, byte for byte.
  std::vector<BatchEvent> events = {};

  /// The payload of `event`, which must be one of `events`; a view into `body`.
  std::string_view payload(const BatchEvent& event) const {
    return std::string_view{body}.substr(event.offset, event.bytes);
  }
};

/// What a sink takes in one batch. The dispatcher's options can make it less, not more.
struct BatchRules {
  std::size_t events_max = 1'000;     ///< At least 1.
  std::size_t bytes_max = 2'000'000;  ///< Of the body; at least 1,000. One larger event goes alone.
  /// False: a batch ends where the kind changes, so that its events are of one kind.
  bool mixes_kinds = false;
  /// True: a payload is any JSON object. False: one without a kind of its own is an event of the
  /// Track API, and is never sent when it breaks that contract.
  bool takes_any_object = false;
};

/// What became of one event, where the endpoint says so of each.
struct EventOutcome {
  std::size_t index = 0;  ///< In `Batch::events`.
  /// `delivered`; `refused`: this event is to blame; `failed`: the endpoint failed at this event
  /// while it took others. Anything else is a reason of the destination: the event stays pending,
  /// nothing is held against it, and the destination waits.
  Verdict verdict = Verdict::failed;
  std::string reason = {};
};

/// What came of a request. No text of it may hold a credential or people's data: it is kept in the
/// request log and shown.
struct Outcome {
  Verdict verdict = Verdict::unavailable;
  std::string reason = {};       ///< For people: "HTTP 503", "could not connect: …".
  std::string response_id = {};  ///< The endpoint's name for the request.
  std::string warnings = {};     ///< What it warned about.
  int status = 0;                ///< HTTP status; 0: none.
  std::chrono::milliseconds took{0};
  /// The endpoint may have read the events. Only then can an event be to blame.
  bool has_arrived = false;
  /// The endpoint is sure that the size of the request is the trouble (413): the next are smaller.
  bool is_about_size = false;
  /// False: there was no request, for want of a credential. Nothing is logged.
  bool was_made = true;
  /// How long the endpoint asks to be left alone; more than 24 h counts as 24 h.
  std::optional<std::chrono::milliseconds> retry_after = {};
  /// Where the endpoint answers for each event; empty: `verdict` is about all of them. An event
  /// that is left out counts as `failed`.
  std::vector<EventOutcome> events = {};
};

/// Takes batches and says what became of them. Several may be under way at once.
///
/// Threads: one thread at a time for all members but `wake`.
/// Errors: trouble of the network is an outcome. After an exception, for want of memory say, every
/// batch under way counts as lost: `abort` is called, and the events are sent again.
class OUTBOX_API Sink {
 public:
  /// What became of the batch that was submitted as `token`.
  struct Reply {
    std::uint64_t token = 0;
    Outcome outcome = {};
  };

  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink();

  /// What people see of the endpoint, without secrets. A change of it means another endpoint: a
  /// hold that the old one caused ends.
  virtual std::string name() const = 0;

  /// Asked once, when a dispatcher is made.
  virtual BatchRules batch_rules() const { return {}; }

  /// Starts sending `batch`, and returns before it is sent.
  virtual void submit(std::uint64_t token, Batch batch) = 0;

  /// Waits until an outcome is there, `wake` is called, the descriptor of `watch` is readable, or
  /// `time_max` has passed, and returns the outcomes that are there. Each token is answered exactly
  /// once. With nothing under way it only waits.
  virtual std::vector<Reply> collect(std::chrono::milliseconds time_max) = 0;

  /// From now on `collect` also returns when `descriptor` is readable; -1: none. A sink that cannot
  /// wait for it notices commits later, by the dispatcher's poll.
  virtual void watch(int descriptor);

  /// Makes the current or the next `collect` return at once. Threads: any. Async-safe: no.
  virtual void wake() noexcept = 0;

  /// After `unauthorized`: whether the credential has changed since, so that trying again makes
  /// sense. Asked often; must be cheap.
  virtual bool has_new_credential() { return false; }

  /// Forgets what is under way; its tokens are never answered. What was sent may have arrived.
  virtual void abort() noexcept = 0;
};

}  // namespace v1
}  // namespace outbox

#pragma once

// The events that an app records.
//
//     outbox::InviteSent{.user_id = inviter.id,
//                        .group_id = account.id,
//                        .invitee = {.email = "amy@achme.com", .first_name = "Amy"}}

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

/// When something happened: ISO 8601 text with a four-digit year and a zone, kept as written, or a
/// time point, written in UTC with six digits ("2024-10-20T15:51:35.059000Z"). A default one means
/// the moment of `enqueue`.
class OUTBOX_API Timestamp {
 public:
  Timestamp() = default;
  Timestamp(std::string iso8601) : text_{std::move(iso8601)} {}
  Timestamp(const char* iso8601) : text_{iso8601} {}
  Timestamp(std::nullptr_t) = delete;
  Timestamp(std::chrono::sys_time<std::chrono::microseconds> instant);
  template <class Duration>
  Timestamp(std::chrono::sys_time<Duration> instant)
      : Timestamp{std::chrono::floor<std::chrono::microseconds>(instant)} {}

  /// The text that is sent; empty: the moment of `enqueue`. It is checked by `enqueue`.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// The text of a JSON object: R"({"plan":"pro"})". Not made from a JSON value, which would compile
/// with many libraries and fail when it runs: write `outbox::json_text({{"plan", "pro"}})` of
/// outbox/json.hpp. It is checked by `enqueue`.
class JsonText {
 public:
  JsonText() = default;
  JsonText(std::string text) : text_{std::move(text)} {}
  JsonText(const char* text) : text_{text} {}
  JsonText(std::nullptr_t) = delete;

  const std::string& text() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  std::size_t size() const noexcept { return text_.size(); }
  operator std::string_view() const noexcept { return text_; }

 private:
  std::string text_;
};

/// The person who is invited. Empty members are left out of the event, but `email` is required.
struct Invitee {
  std::string email = {};  ///< One `@` with something on both sides, no spaces, at most 320 bytes.
  std::string first_name = {};
  std::string last_name = {};
  std::string role = {};  ///< The permission group, e.g. "Developer".
};

/// A user invited another one: the Track API's `invite_sent`.
///
/// Covers an invite to the app, to an existing account (`group_id`) and to a team (`team_name`).
/// Several invitees are several events in one call of `enqueue`.
struct InviteSent {
  std::string user_id = {};   ///< Who invites; required, opaque.
  std::string group_id = {};  ///< `context.group_id`: the account invited to; left out when empty.
  Invitee invitee = {};
  std::string feature_name = {};  ///< Where in the product the invitation was made.
  std::string team_name = {};     ///< The team invited to.
  Timestamp timestamp = {};
  /// More properties: R"({"source_url":"/team"})". May not repeat a property that is set above.
  JsonText properties = {};
  /// More context, likewise.
  JsonText context = {};
};

/// Any event of the Track API, e.g. `signed_up` or one of your own.
struct TrackEvent {
  std::string event_name = {};  ///< Required.
  std::string user_id = {};     ///< Required, opaque.
  Timestamp timestamp = {};
  JsonText properties = {};  ///< Empty: `{}`.
  JsonText context = {};     ///< Empty: `{}`.
};

/// Who a user is: the Track API's `identify`. The API asks for it before the user's first event;
/// enqueued in one transaction with that, it arrives before it.
struct Identify {
  std::string user_id = {};  ///< Required, opaque.
  std::string email = {};    ///< `traits.user_email`; as `Invitee::email`.
  std::string name = {};     ///< `traits.user_name`.
  Timestamp timestamp = {};
  JsonText traits = {};   ///< More traits.
  JsonText context = {};  ///< Empty: `{}`.
};

/// What an account is, and that a user belongs to it: the Track API's `group`.
struct Group {
  std::string group_id = {};  ///< Required, opaque; `context.group_id` too.
  std::string user_id = {};   ///< Required, opaque.
  std::string type = {};      ///< `group_type`, in traits and context, e.g. "Account".
  std::string name = {};      ///< `traits.account_name`.
  std::string domain = {};    ///< `traits.account_domain`.
  Timestamp timestamp = {};
  JsonText traits = {};   ///< More traits.
  JsonText context = {};  ///< More context.
};

/// A whole event as the text of one JSON object, sent byte for byte as given. It is checked like
/// the others, by `EnqueueOptions::kind`: as a track (`event_name`, `user_id` and `timestamp` are
/// required), an identify or a group. Of any other kind only that it is a JSON object.
struct Payload {
  std::string text = {};
};

/// Anything `enqueue` takes: one of the types above. Copies share it, and cost next to nothing.
/// Lifetime: as long as any copy. Threads: any, since it never changes.
class OUTBOX_API Event {
 public:
  Event(InviteSent event);
  Event(TrackEvent event);
  Event(Identify event);
  Event(Group event);
  Event(Payload event);
  Event(const Event&) = default;  // no move: an event is never empty
  Event& operator=(const Event&) = default;

  struct Value;  ///< Of the library.
  const Value& value() const noexcept { return *value_; }

 private:
  std::shared_ptr<const Value> value_;
};

}  // namespace v1
}  // namespace outbox

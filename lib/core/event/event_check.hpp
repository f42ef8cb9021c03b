#pragma once

// What the Track API asks of an event, checked on the text that is sent, without building a tree.
// One pass, no recursion: hostile nesting costs nothing.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outbox::core {

/// A broken rule: where and why, never the value.
struct Violation {
  std::string field;
  std::string reason;
};

/// The kinds of events that the Track API has an address for. An event without a kind is a track.
namespace event_kind {
inline constexpr std::string_view track = "track";
inline constexpr std::string_view identify = "identify";
inline constexpr std::string_view group = "group";
}  // namespace event_kind

/// What breaks the rules that the endpoint itself has: one JSON object in UTF-8, at most
/// `depth_max` deep, with `user_id` and `timestamp`; a track has an `event_name` too, and a group a
/// `group_id` that its context repeats. `properties`, `traits` and `context` are objects. An event
/// of another kind is one JSON object, and no more is known of it.
std::optional<Violation> event_violation(std::string_view payload, std::string_view kind = {});

/// The same for a payload of which no more is asked than that it is one JSON object.
std::optional<Violation> object_violation(std::string_view payload);

/// The same for an event that is about to be recorded, where the app can still be told: the address
/// of an `invite_sent` is looked at too.
std::optional<Violation> new_event_violation(std::string_view payload, std::string_view kind = {});

/// What is wrong with the text of an object that becomes the member `field` of an event. `taken`
/// are the members that the event's typed fields already fill.
std::optional<Violation> member_violation(std::string_view field, std::string_view object,
                                          std::span<const std::string_view> taken);

/// The same for the `properties` of an `invite_sent`, where the app can still be told: the address
/// is looked at too.
std::optional<Violation> invite_properties_violation(std::string_view properties);

/// Why `address` cannot be an e-mail address; none: it may be one. Lax on purpose: what the app has
/// recorded must be deliverable, and the API's own sample is no valid address either.
std::optional<std::string> address_problem(std::string_view address);

}  // namespace outbox::core

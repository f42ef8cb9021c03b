#pragma once

// Events from nlohmann values. Header only, so that no nlohmann type crosses the compiled boundary:
// its types carry its version in their names.
//
//     outbox::enqueue(db, outbox::payload({{"event_name", "signed_up"}, {"user_id", id}, …}));
//     outbox::TrackEvent{.event_name = "signed_up", .user_id = id,
//                        .properties = outbox::json_text({{"plan", "pro"}})}

#include <concepts>
#include <nlohmann/json.hpp>
#include <string>

#include "outbox/events.hpp"

namespace outbox {
inline namespace v1 {

/// The text of `value`, for the `properties` and `context` members of events.
/// Throws: `nlohmann::json::type_error` when a string in it is not UTF-8.
inline std::string json_text(const nlohmann::json& value) {
  return value.dump();
}

/// A whole event. Throws: as `json_text`; what is missing in it is found by `enqueue`.
inline Payload payload(const nlohmann::json& event) {
  return Payload{.text = event.dump()};
}

// The same with the members in their order. Templates, so that a braced list is a plain json.
template <std::same_as<nlohmann::ordered_json> Ordered>
std::string json_text(const Ordered& value) {
  return value.dump();
}
template <std::same_as<nlohmann::ordered_json> Ordered>
Payload payload(const Ordered& event) {
  return Payload{.text = event.dump()};
}

}  // namespace v1
}  // namespace outbox

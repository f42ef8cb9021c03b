#pragma once

// What an `Event` holds. Not in the public header: a new type of event changes no layout there.

#include <variant>

#include "outbox/events.hpp"

namespace outbox {
inline namespace v1 {

struct Event::Value {
  std::variant<InviteSent, TrackEvent, Identify, Group, Payload> any;
};

}  // namespace v1
namespace core {

template <class Type>
bool is_a(const Event& event) {
  return std::holds_alternative<Type>(event.value().any);
}

}  // namespace core
}  // namespace outbox

#include "core/event/event_value.hpp"

#include <utility>

namespace outbox {
inline namespace v1 {

namespace {

template <class Type>
std::shared_ptr<const Event::Value> shared(Type event) {
  return std::make_shared<const Event::Value>(Event::Value{std::move(event)});
}

}  // namespace

Event::Event(InviteSent event) : value_{shared(std::move(event))} {}
Event::Event(TrackEvent event) : value_{shared(std::move(event))} {}
Event::Event(Identify event) : value_{shared(std::move(event))} {}
Event::Event(Group event) : value_{shared(std::move(event))} {}
Event::Event(Payload event) : value_{shared(std::move(event))} {}

}  // namespace v1
}  // namespace outbox

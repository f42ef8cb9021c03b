#pragma once

// The relays that were built in: a file `relay_….cpp` each.

#include <string>

#include "outbox/endpoint.hpp"

namespace cli {

struct SendingFlags;

/// What one relay does with its flags. Null: it was not built in.
struct RelayKind {
  outbox::Endpoint (*endpoint)(const SendingFlags&) = nullptr;
  std::string (*problem)(const SendingFlags&) = nullptr;  // see `relay_problem`
};

RelayKind webhook_relay();  // in the main library

#ifdef OUTBOX_WITH_NATS
RelayKind nats_relay();
#else
inline RelayKind nats_relay() {
  return {};
}
#endif

#ifdef OUTBOX_WITH_KAFKA
RelayKind kafka_relay();
#else
inline RelayKind kafka_relay() {
  return {};
}
#endif

}  // namespace cli

#pragma once

// How an event becomes a message.

#include "outbox/nats.hpp"
#include "outbox/sink.hpp"

namespace outbox::sinks {

/// `Content-Type`, `Outbox-Event-Id`, `Outbox-Key`, the attributes of CloudEvents where asked for,
/// then the headers of the event, but those that would be the server's (`Nats-…`) or stand there
/// already. Values are percent-encoded where the binding of CloudEvents asks for it; of others only
/// control characters.
MessageHeaders nats_headers(const BatchEvent& event, const NatsOptions& options);

}  // namespace outbox::sinks

#pragma once

// The stream that events go to.

#include <nats/nats.h>

#include "outbox/nats.hpp"

namespace outbox::sinks {

/// Makes the stream as `options.create_stream` says when the server has none of that name. Throws:
/// `NatsTrouble`, also when there is one that acknowledges nothing.
void make_stream_if_missing(jsCtx* jetstream, const NatsOptions& options);

/// Throws: `NatsTrouble` when JetStream is not enabled, or says that it has no stream of the name,
/// or that the stream acknowledges nothing. One who may not ask is told nothing.
void require_stream(jsCtx* jetstream, const NatsOptions& options);

}  // namespace outbox::sinks

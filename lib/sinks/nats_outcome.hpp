#pragma once

// From the answers to the messages of a batch to its outcome. Pure.

#include "outbox/sink.hpp"
#include "sinks/nats_flights.hpp"

namespace outbox::sinks {

/// Whether a message got no answer.
bool has_silence(const NatsFlight& flight);

/// What one message without an answer means: the connection is gone, something was not permitted,
/// or nothing came in time.
RelayMeaning meaning_of_silence(const NatsFlight& flight);

/// All alike: one verdict. Mixed: one an event, as `verdict_beside_others`; an event without an
/// answer is not blamed for it, since JetStream stores messages one by one.
Outcome outcome_of(const NatsFlight& flight, NatsFlight::Time now);

}  // namespace outbox::sinks

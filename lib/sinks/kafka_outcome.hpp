#pragma once

// From the reports of the messages of a batch to its outcome. Pure.

#include <optional>

#include "outbox/sink.hpp"
#include "sinks/kafka_flights.hpp"
#include "sinks/kafka_meaning.hpp"

namespace outbox::sinks {

/// Whether no broker has said anything about a message, which therefore is not stored.
bool has_silence(const KafkaFlight& flight);

/// All alike: one verdict. Mixed: one an event, as `verdict_beside_others`; and those that were
/// refused together have failed. `cause`: why nobody said anything about an event, if it is known.
Outcome outcome_of(const KafkaFlight& flight, const std::optional<RelayMeaning>& cause,
                   KafkaFlight::Time now);

}  // namespace outbox::sinks

#pragma once

// The options of the Kafka sink: what is asked of them, and what is made of them.

#include <string>
#include <utility>
#include <vector>

#include "outbox/kafka.hpp"

namespace outbox::sinks {

/// Throws: as `kafka`, but for what only the client knows of its settings.
void require_fit(const KafkaOptions& options);

/// What the client would say only when a producer is made: settings that do not go with idempotence
/// or with what the sink sets. For values that the client takes by themselves. Throws: as `kafka`.
void require_agreement(const KafkaOptions& options);

/// All settings of the client but the password, in the order in which they are made.
std::vector<std::pair<std::string, std::string>> settings_of(const KafkaOptions& options);

}  // namespace outbox::sinks

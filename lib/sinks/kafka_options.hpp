#pragma once

// The options of the Kafka sink: what is asked of them, and what is made of them.

#include <string>
#include <utility>
#include <vector>

#include "outbox/kafka.hpp"

namespace outbox::sinks {

/// Throws: as `kafka`, but for what only the client knows of its settings.
void require_fit(const KafkaOptions& options);

/// All settings of the client but the password, in the order in which they are made.
std::vector<std::pair<std::string, std::string>> settings_of(const KafkaOptions& options);

}  // namespace outbox::sinks

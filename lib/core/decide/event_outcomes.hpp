#pragma once

// Where a sink says of each event what became of it.

#include "core/decide/settle.hpp"

namespace outbox::core {

/// Whether the endpoint has taken an event of the request.
bool accepts(const SentBatch& sent);

/// What is said of the only event, or of all alike, is said of the request.
void simplify(SentBatch& sent);

}  // namespace outbox::core

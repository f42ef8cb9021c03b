#pragma once

// What a sink says, made ready to be settled.

#include "core/decide/settle.hpp"

namespace outbox::core {

/// Whoever wrote the sink, what it says is kept and shown: masks and cuts all texts, and bounds the
/// patience that it asks for. Changes nothing of what is fit already.
Outcome fit_to_keep(Outcome outcome);

/// Whether the endpoint has taken an event of the request.
bool accepts(const SentBatch& sent);

/// What is said of the only event, or of all alike, is said of the request.
void simplify(SentBatch& sent);

}  // namespace outbox::core

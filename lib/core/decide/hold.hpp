#pragma once

// Trouble of the endpoint → for how long the destination waits, and why.

#include <optional>

#include "core/clock.hpp"
#include "core/decide/backoff.hpp"
#include "core/decide/endpoint_state.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

/// The hold after `outcome`, when `before` was the hold until then. Each further try waits longer;
/// a token or a URL is asked about slowly; the endpoint's own wish for patience counts. Requires:
/// `chance` in [0, 1).
HoldState hold_after(const std::optional<HoldState>& before, const Outcome& outcome,
                     const Backoff& backoff, Instant now, double chance);

}  // namespace outbox::core

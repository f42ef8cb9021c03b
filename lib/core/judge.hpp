#pragma once

// Answer → outcome: the one place that knows what a status and a body of the Track API mean.

#include "core/answer.hpp"
#include "core/outcome.hpp"

namespace outbox::core {

/// The meaning of `answer`. A 2xx is delivered, unless it says `"success": false` (refused) or is a
/// web page (misconfigured: a wrong URL or a proxy's log-in page).
Outcome judge(const Answer& answer);

}  // namespace outbox::core

#pragma once

// From what was recorded to what the host is told of it.

#include <string>

#include "core/decide/settle.hpp"
#include "outbox/observer.hpp"

namespace outbox::dispatch {

/// `reason` without what the endpoint said, which may quote people: "refused: HTTP 400" of
/// "refused: HTTP 400: no such plan".
std::string without_quotation(const std::string& reason);

/// Why a destination waits, as a notice says it.
std::string hold_text(const core::HoldState& hold);

/// Tells `observer`, if there is one. What it throws goes no further.
void tell(const Observer& observer, const Notice& notice) noexcept;

/// Tells of each request, death and hold in `settlement`, which has been recorded.
void tell_of(const Observer& observer, const std::string& destination,
             const core::Settlement& settlement) noexcept;

}  // namespace outbox::dispatch

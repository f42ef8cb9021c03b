#pragma once

// From what was recorded to what the host is told of it.

#include <string>

#include "core/decide/settle.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/observer.hpp"

namespace outbox::dispatch {

/// `reason` without what the endpoint said, which may quote people: "refused: HTTP 400" of
/// "refused: HTTP 400: no such plan".
std::string without_quotation(const std::string& reason);

/// Of a database that was delivered from by another file.
std::string copy_text(const DispatcherOptions& options);

/// Why a destination waits.
Notice notice_of(const std::string& destination, const core::HoldState& hold);

/// Tells `observer`, if there is one. What it throws goes no further.
void tell(const Observer& observer, const Notice& notice) noexcept;

/// Tells of each request, death and hold in `settlement`, which has been recorded.
void tell_of(const Observer& observer, const std::string& destination,
             const core::Settlement& settlement) noexcept;

}  // namespace outbox::dispatch

#pragma once

// What is asked of the options of every HTTP service. Throws: `std::invalid_argument`.

#include <string>
#include <vector>

#include "outbox/track_api.hpp"
#include "sinks/http.hpp"

namespace outbox::sinks {

/// http(s), without user, password and fragment, and plain HTTP only where that is allowed.
void require_allowed(const std::string& url, PlainHttp plain_http);
/// Its URL as above, its timeouts and its proxy.
void require_target(const HttpTarget& target, PlainHttp plain_http);
void require_meanings(const std::vector<StatusMeaning>& meanings);

}  // namespace outbox::sinks

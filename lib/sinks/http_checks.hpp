#pragma once

// What is asked of the options of every HTTP service. Throws: `std::invalid_argument`.

#include <cstddef>
#include <string>
#include <vector>

#include "outbox/track_api.hpp"
#include "sinks/http.hpp"

namespace outbox::sinks {

/// http(s), without user, password and fragment, and plain HTTP only where that is allowed.
void require_allowed(const std::string& url, PlainText plain_text,
                     const std::string& option = "url");
/// `url` for `Sink::name`, which the database keeps: what stands behind its first `shown`
/// characters may hold a secret, and is a fingerprint there, so that another one is noticed.
std::string with_fingerprint(const std::string& url, std::size_t shown);
/// The same, from the query on.
std::string without_query(const std::string& url);

/// `target`, once its URL as above, its timeouts, its proxy and `meanings` are in order.
HttpTarget checked(HttpTarget target, PlainText plain_text,
                   const std::vector<StatusMeaning>& meanings);
/// The same of what the options of all services have.
template <class Service>
HttpTarget checked_target(const Service& service) {
  return checked({.url = service.url,
                  .connect_timeout = service.connect_timeout,
                  .timeout = service.timeout,
                  .ca_file = service.ca_file,
                  .proxy = service.proxy},
                 service.plain_text, service.meanings);
}

}  // namespace outbox::sinks

#pragma once

// The Track API as a place to send events to.
//
//     outbox::track_api({.credentials = outbox::bearer_from_file("thrivestack.token")})

#include <chrono>
#include <string>
#include <vector>

#include "outbox/credentials.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/export.hpp"
#include "outbox/verdict.hpp"

namespace outbox {
inline namespace v1 {

/// The Track API's endpoint. Redirects are never followed.
struct TrackApi {
  Credentials credentials = {};
  std::string url = "https://api.app.thrivestack.ai/api/track";
  /// Where `Identify` and `Group` go. Empty: `url` with `identify` or `group` in place of the
  /// `track` at the end of its path; where there is none, such events wait for a person.
  std::string identify_url = {};
  std::string group_url = {};
  /// For connecting, TLS included; 1 ms to 5 min. Defaults to 10 s.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds{10};
  /// For one request as a whole; 1 ms to 10 min. Defaults to 30 s.
  std::chrono::milliseconds timeout = std::chrono::seconds{30};
  /// PEM file of the authorities to trust; empty: the system's.
  std::string ca_file = {};
  /// URL of a proxy; "none": no proxy; empty: what the environment says: https_proxy,
  /// or http_proxy for `http://`, else all_proxy; and no_proxy.
  /// Never used to reach loopback.
  std::string proxy = {};
  /// Where `http://` is allowed; `https://` always is, with the certificate verified.
  PlainText plain_text = PlainText::to_loopback;
  /// What single statuses mean at this endpoint, other than usual (docs/guarantees.md has the
  /// table). The first entry of a status counts. Defaults to none.
  std::vector<StatusMeaning> meanings = {};
};

/// Throws: `std::invalid_argument` when the URL is not http(s), carries a user, password or
/// fragment, or is plain HTTP where that is not allowed; or when a timeout or a status is out of
/// its range. `std::system_error` when there is no eventfd, `std::runtime_error` when libcurl
/// cannot be started.
[[nodiscard]] OUTBOX_API Endpoint track_api(TrackApi options);

/// Connects as a dispatcher would, TLS included, and sends nothing. Returns what is wrong; empty:
/// nothing is. Throws: as `track_api`. Threads: any.
[[nodiscard]] OUTBOX_API std::string connection_problem(const TrackApi& options);

}  // namespace v1
}  // namespace outbox

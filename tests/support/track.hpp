#pragma once

// The Track API of a test server, as an endpoint.

#include <string>
#include <utility>

#include "outbox/outbox.hpp"
#include "track_server/server.hpp"

namespace support {

inline outbox::Endpoint endpoint_of(const track_server::TrackServer& server,
                                    std::string token = "t0ken") {
  return outbox::track_api({.credentials = outbox::bearer(std::move(token)), .url = server.url()});
}

}  // namespace support

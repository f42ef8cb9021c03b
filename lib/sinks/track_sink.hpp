#pragma once

// The Track API as a sink: batches as JSON arrays, an address for each of its three calls.

#include "outbox/track_api.hpp"
#include "sinks/http_sink.hpp"

namespace outbox::sinks {

/// Throws: as `track_api`.
HttpService track_service(TrackApi options);

}  // namespace outbox::sinks

#pragma once

// Any HTTP service as a sink: an event or an array in a request, plain or as CloudEvents.

#include "outbox/webhook.hpp"
#include "sinks/http_sink.hpp"

namespace outbox::sinks {

/// Throws: as `webhook`.
HttpService webhook_service(Webhook options);

}  // namespace outbox::sinks

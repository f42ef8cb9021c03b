#pragma once

// Answer → outcome: the one place that knows what a status and a body of the Track API mean.

#include <span>

#include "core/clock.hpp"
#include "core/http/answer.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

/// What an answer's body says of the events.
enum class AnswerBodies {
  of_track_api,  ///< It may say no in spite of a 2xx, and has an id and warnings.
  ignored,       ///< Nothing, unless it is a web page: that is some other server's.
};

/// The meaning of `answer`, which arrived at `now`. A 2xx is delivered, unless it says
/// `"success": false` (refused) or is a web page (misconfigured: a wrong URL or a proxy's log-in
/// page). Where `meanings` name a status, that is what it means; a web page is still none of the
/// API's.
Outcome judge(const Answer& answer, Instant now, std::span<const StatusMeaning> meanings = {},
              AnswerBodies bodies = AnswerBodies::of_track_api);

}  // namespace outbox::core

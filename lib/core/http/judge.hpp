#pragma once

// Answer → outcome: the one place that knows what a status and a body mean, of the Track API and of
// webhooks.

#include <span>
#include <string_view>

#include "core/http/answer.hpp"
#include "outbox/sink.hpp"

namespace outbox::core {

/// What an answer's body says of the events.
enum class AnswerBodies {
  of_track_api,  ///< It may say no in spite of a 2xx, and has an id and warnings.
  ignored,       ///< Nothing, unless it is a web page: that is some other server's.
};

/// What the library itself says behind "HTTP 200" in a reason; all else there is the endpoint's.
inline constexpr std::string_view not_the_api = " with a web page: not the Track API";
inline constexpr std::string_view not_the_receiver = " with a web page: not the receiver of events";
inline constexpr std::string_view body_was_cut = ", but its body was cut";
inline constexpr std::string_view own_words[] = {not_the_api, not_the_receiver, body_was_cut};

/// The meaning of `answer`. A 2xx is delivered, unless it says
/// `"success": false` (refused) or is a web page (misconfigured: a wrong URL or a proxy's log-in
/// page). Where `meanings` name a status, that is what it means; a web page is still none of the
/// API's.
Outcome judge(const Answer& answer, std::span<const StatusMeaning> meanings = {},
              AnswerBodies bodies = AnswerBodies::of_track_api);

/// Whether the endpoint speaks of the credential: by the status, or by the verdict, which
/// `meanings` may give to other statuses. What it says then may quote it.
bool is_about_credential(const Outcome& outcome);

}  // namespace outbox::core

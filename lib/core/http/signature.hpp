#pragma once

// Who sent a webhook: the signature of Standard Webhooks (github.com/standard-webhooks).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace outbox::core {

/// The bytes of a key "whsec_" and base64; none: it is not so written, or has not the 24 to 64
/// bytes that the standard asks for.
std::optional<std::string> signing_key(std::string_view text);

/// "v1,…": over the id, the second of `sent_at`, and the body, with a dot between.
std::string webhook_signature(std::string_view key, std::string_view id, Instant sent_at,
                              std::string_view body);

/// What a receiver knows an event by, in a header: its event id, when that is 1 to 128 visible
/// ASCII characters, else a digest of it. SQL may store any text as an event id, and with a line
/// break in it an event could write headers, or a request, of its own.
std::string message_id(std::string_view event_id);

/// The same for the same events, whatever the try: the message id of one, or a digest of several. A
/// receiver may drop what it knows, so part of a batch must not have the batch's id.
std::string webhook_id(const std::vector<std::string_view>& event_ids);

/// Whole seconds since 1970, as the standard's header has them.
std::string webhook_timestamp(Instant sent_at);

}  // namespace outbox::core

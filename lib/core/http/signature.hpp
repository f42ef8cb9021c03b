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

/// As `outbox::message_id`.
std::string message_id(std::string_view event_id);

/// The same for the same events, whatever the try: the message id of one, or a digest of several. A
/// receiver may drop what it knows, so part of a batch must not have the batch's id.
std::string webhook_id(const std::vector<std::string_view>& event_ids);

/// Whole seconds since 1970, as the standard's header has them.
std::string webhook_timestamp(Instant sent_at);

}  // namespace outbox::core

#pragma once

// Whose event is this? For the right to be forgotten.

#include <string_view>

#include "outbox/operate.hpp"

namespace outbox::core {

/// Throws: `std::invalid_argument` unless exactly one member is set.
void require_subject(const Subject& subject);

/// Whether `address` stands in `text` as an address of its own: "big.amy@x.com" does not hold
/// "amy@x.com", and "amy@x.com.au" neither. ASCII letters match in either case, and "%40" is an
/// "@".
bool holds_address(std::string_view text, std::string_view address);

/// The same in an ordering or dedupe key, where an address may stand behind "invite-" or "invite_".
bool key_holds_address(std::string_view key, std::string_view address);

/// Whether the event is about the subject, as `Subject` says. A payload that is no JSON is searched
/// as text.
bool is_about(std::string_view payload, const Subject& subject);

}  // namespace outbox::core

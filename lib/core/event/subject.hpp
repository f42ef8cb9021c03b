#pragma once

// Whose event is this? For the right to be forgotten.

#include <optional>
#include <string>
#include <string_view>

#include "outbox/operate.hpp"

namespace outbox::core {

/// Throws: `std::invalid_argument` for an empty value, and for an address that is none.
void require_subject(const Subject& subject);

/// Whether `address` stands in `text` as an address of its own: "big.amy@x.com" does not hold
/// "amy@x.com", nor does "amy@x.com.au". After "-" or "_" it counts as found, since it is better to
/// find too much than too little. ASCII letters match in either case, and up to `decodings_max`
/// layers of JSON escapes, percent-encoding and HTML references are looked through.
bool holds_address(std::string_view text, std::string_view address);

/// Whether `text`, which says something of somebody's event, names the subject: an id as a word of
/// its own, or an address. It is looked through as by `holds_address`.
bool names_subject(std::string_view text, const Subject& subject);

/// Where the event is about the subject, as `Subject` says: the key before that value, fit to be
/// shown; empty: there is none. None: nowhere. A payload that is no JSON is searched as text.
std::optional<std::string> place_of(std::string_view payload, const Subject& subject);

}  // namespace outbox::core

#pragma once

// Text that comes from outside: is it UTF-8, and what of it may be stored and shown.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::core {

/// Index of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7); none: all is.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

/// `text` with what looks like an e-mail address masked. Of what stands before each '@' the first
/// character stays, and of a quoted name (RFC 5322, 3.4.1) the quote.
std::string masked_addresses(std::string_view text);

/// `text` made fit to be stored as an error and shown on a terminal: control, bidi and invalid
/// bytes become '?', what looks like an e-mail address is masked ("a**@achme.com"), and the rest is
/// cut to `bytes_max`.
std::string sanitised(std::string_view text, std::size_t bytes_max);

/// Whether `text` holds an '@' in JSON escapes, percent-encoding or HTML references: an address
/// that `sanitised` would not see.
bool hides_address(std::string_view text);

/// Whether `text` quotes `secret`: its first 12 characters or all of a shorter one, as they are or
/// in JSON escapes, percent-encoding (twice, too), HTML references, base64 or hex, in any case.
/// False for a secret of less than 4 characters.
bool quotes_secret(std::string_view text, std::string_view secret);

/// `text` without white space of JSON at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace outbox::core

#pragma once

// Texts that are quoted in other texts: an URL in a field, JSON in a string, an answer in HTML.

#include <string>
#include <string_view>

namespace outbox::core {

/// As many layers of encoding are looked through: JSON in JSON in an URL is three.
inline constexpr int decodings_max = 3;

/// `text` with one layer of JSON escapes, percent-encoding and HTML character references taken
/// away. What is none of them stays; what can be no character becomes '?'.
std::string decoded(std::string_view text);
/// Whether `decoded` could give another text.
bool is_encoded(std::string_view text);

}  // namespace outbox::core

#pragma once

// What of a request an answer may quote and nobody may read: parts of what `quotes_secret` looks
// for as a whole.

#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

/// Of a header's secret value: all of it, what stands behind its scheme ("Bearer …", "Token
/// token=…"), and what "Basic …" says in base64, the password also by itself.
std::vector<std::string> secrets_in_header(std::string_view value);

/// Of a URL's path, its query, or both: what is not made of words, which is what people name things
/// with: letters (in one case, or with one capital first), up to 4 digits behind them, or up to 8
/// digits alone. Each such part of 8 characters or more, without the words before it, and all from
/// the first one on. A secret of words alone cannot be told from a name, and is none here.
std::vector<std::string> secrets_in_url(std::string_view path_or_query);

}  // namespace outbox::core

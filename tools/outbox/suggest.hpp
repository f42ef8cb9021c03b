#pragma once

// What was probably meant by a misspelt word.

#include <string>
#include <vector>

namespace cli {

/// The one of `known` that is nearest to `word`; empty: none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

/// "; did you mean X?", or nothing.
std::string did_you_mean(const std::string& word);

}  // namespace cli

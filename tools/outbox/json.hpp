// The JSON that the CLI prints: keys stay in the order in which they were written.
#pragma once

#include <nlohmann/json.hpp>

namespace cli {

using Json = nlohmann::ordered_json;

}  // namespace cli

#pragma once

// From the text of `outbox enqueue` to the texts of single events.

#include <string_view>
#include <vector>

namespace cli {

/// The events in `text`: one JSON object, an array of them, or NDJSON (objects one after the
/// other). The slices keep their bytes; what is in them is for the library to judge. Throws:
/// `Failure` with the usage code when an array is broken between its elements, naming the element.
std::vector<std::string_view> split_events(std::string_view text);

}  // namespace cli

#pragma once

// Personal data, kept from the screen and from scripts unless `--reveal` says otherwise.

#include <string>

#include "globals.hpp"
#include "json.hpp"

namespace cli {

/// `text` as it may be shown: masked unless `--reveal`. For ids, reasons and errors, which should
/// hold no people and sometimes do.
std::string shown(const std::string& text, const Globals& globals);

/// The payload as it may be shown: a JSON object whose texts are cut to their first letter, or, of
/// one that is an address and nothing else, masked as an address; but for the names, ids and times
/// that the Track API's own fields hold. A payload that is no JSON is told by its size alone.
Json shown_payload(const std::string& payload, const Globals& globals);

}  // namespace cli

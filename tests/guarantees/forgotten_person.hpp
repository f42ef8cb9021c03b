#pragma once

// The person whom the tests of erasure look for afterwards, in the bytes on the disk.

#include <filesystem>
#include <string>

#include "support/files.hpp"

namespace forgotten {

inline const std::string email = "amy.forgotten@achme.com";
inline const std::string first_name = "Amaryllis";
inline const std::string last_name = "Forgottenhausen";

/// A line for each file of the folder that has a trace of the person, with its place.
inline std::string traces_in(const std::filesystem::path& folder) {
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    const std::string bytes = support::text_of(entry.path());
    for (const std::string& trace : {email, first_name, last_name}) {
      const std::size_t at = bytes.find(trace);
      if (at == std::string::npos) continue;
      found += entry.path().filename().native() + ": " + trace + " at " + std::to_string(at) + "\n";
    }
  }
  return found;
}

}  // namespace forgotten

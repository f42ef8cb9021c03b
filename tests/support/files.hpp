#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace support {

/// The bytes of a file; none when it cannot be read.
inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

#ifdef OUTBOX_SOURCE_DIR
/// A file of the repository, by its name from the root.
inline std::string source_text(const std::string& name) {
  const std::filesystem::path file = std::filesystem::path{OUTBOX_SOURCE_DIR} / name;
  REQUIRE(std::filesystem::exists(file));
  return text_of(file);
}
#endif

}  // namespace support

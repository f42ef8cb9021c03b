#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace support {

/// The bytes of a file; none when it cannot be read.
inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  std::ostringstream text;
  // In blocks: byte by byte, without optimisation, took a third of the tests of erasure.
  if (stream.peek() != std::ifstream::traits_type::eof()) text << stream.rdbuf();
  return std::move(text).str();
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

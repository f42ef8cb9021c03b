#pragma once

#include <string>

namespace cli {

/// Replaces the file at `path` by one with `text` that others may read; a reader sees the old one
/// or the new one. Throws: `Failure`.
void write_whole(const std::string& path, const std::string& text);

}  // namespace cli

#pragma once

// The files of the page, which the build embeds.

#include <span>
#include <string_view>

namespace page {

struct Asset {
  std::string_view path;  // "/app.js"
  std::string_view content_type;
  std::string_view content;
};

/// All of them; "/index.html" is among them.
std::span<const Asset> assets();

}  // namespace page

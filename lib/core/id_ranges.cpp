#include "core/id_ranges.hpp"

#include <charconv>

namespace outbox::core {

std::string ranges_text(std::span<const std::int64_t> ids) {
  std::string text;
  for (std::size_t first = 0; first < ids.size();) {
    std::size_t last = first;
    while (last + 1 < ids.size() && ids[last + 1] == ids[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(ids[first]);
    if (last > first) text += '-' + std::to_string(ids[last]);
    first = last + 1;
  }
  return text;
}

bool ranges_contain(std::string_view ranges, std::int64_t id) {
  const char* at = ranges.data();
  const char* const end = at + ranges.size();
  while (at < end) {
    std::int64_t first = 0;
    at = std::from_chars(at, end, first).ptr;
    std::int64_t last = first;
    if (at < end && *at == '-') at = std::from_chars(at + 1, end, last).ptr;
    if (first <= id && id <= last) return true;
    if (at < end && *at != ',') return false;
    ++at;
  }
  return false;
}

}  // namespace outbox::core

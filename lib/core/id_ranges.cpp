#include "core/id_ranges.hpp"

#include <charconv>

namespace outbox::core {

namespace {

// Calls `see(first, last)` for each range until that returns false.
template <class See>
void for_each_range(std::string_view ranges, See see) {
  const char* at = ranges.data();
  const char* const end = at + ranges.size();
  while (at < end) {
    std::int64_t first = 0;
    at = std::from_chars(at, end, first).ptr;
    std::int64_t last = first;
    if (at < end && *at == '-') at = std::from_chars(at + 1, end, last).ptr;
    if (first < 0 || last < 0) return;  // ids are positive; what is not ours ends here
    if (!see(first, last)) return;
    if (at == end || *at != ',') return;
    ++at;
  }
}

}  // namespace

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

std::vector<std::int64_t> ids_in(std::string_view ranges, std::size_t ids_max) {
  std::vector<std::int64_t> ids;
  for_each_range(ranges, [&](std::int64_t first, std::int64_t last) {
    const std::uint64_t count = last < first ? 0 : static_cast<std::uint64_t>(last - first) + 1;
    for (std::uint64_t i = 0; i < count && ids.size() < ids_max; ++i) {
      ids.push_back(first + static_cast<std::int64_t>(i));
    }
    return ids.size() < ids_max;
  });
  return ids;
}

bool ranges_contain(std::string_view ranges, std::int64_t id) {
  bool is_in = false;
  for_each_range(ranges, [&](std::int64_t first, std::int64_t last) {
    is_in = first <= id && id <= last;
    return !is_in;
  });
  return is_in;
}

}  // namespace outbox::core

#include "core/event/id_ranges.hpp"

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

Ids ids_in(std::string_view ranges, std::size_t ids_max) {
  Ids ids;
  for_each_range(ranges, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t id = first; ids.size() < ids_max; ++id) {
      ids.push_back(id);
      if (id == last) break;
    }
  });
  return ids;
}

bool ranges_contain(std::string_view ranges, std::int64_t id) {
  bool is_in = false;
  for_each_range(ranges, [&](std::int64_t first, std::int64_t last) {
    is_in = is_in || (first <= id && id <= last);
  });
  return is_in;
}

}  // namespace outbox::core

#pragma once

// Sets of event ids in few bytes: the events of one request are mostly neighbours.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

using Ids = std::vector<std::int64_t>;

/// "17-116,118" for 17, 18, … 116, 118. Requires: `ids` ascend strictly.
std::string ranges_text(std::span<const std::int64_t> ids);

/// The ids in the set that `ranges_text` wrote, in order; `ids_max` at most, whatever it says.
Ids ids_in(std::string_view ranges, std::size_t ids_max);

/// True when `id` is in the set that `ranges_text` wrote.
bool ranges_contain(std::string_view ranges, std::int64_t id);

/// Calls `see(first, last)` for each range that `ranges_text` wrote. What is not ours ends it.
template <class See>
void for_each_range(std::string_view ranges, See see) {
  const char* at = ranges.data();
  const char* const end = at + ranges.size();
  while (at < end) {
    std::int64_t first = 0;
    at = std::from_chars(at, end, first).ptr;
    std::int64_t last = first;
    if (at < end && *at == '-') at = std::from_chars(at + 1, end, last).ptr;
    if (first < 1 || last < first) return;  // ids are positive
    see(first, last);
    if (at == end || *at != ',') return;
    ++at;
  }
}

}  // namespace outbox::core

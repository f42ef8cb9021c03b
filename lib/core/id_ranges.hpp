#pragma once

// Sets of event ids in few bytes: the events of one batch are mostly neighbours.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::core {

/// "17-116,118" for 17, 18, … 116, 118. Requires: `ids` ascend strictly.
std::string ranges_text(std::span<const std::int64_t> ids);

/// The ids in the set that `ranges_text` wrote, in order; `ids_max` at most, whatever it says.
std::vector<std::int64_t> ids_in(std::string_view ranges, std::size_t ids_max);

/// True when `id` is in the set that `ranges_text` wrote.
bool ranges_contain(std::string_view ranges, std::int64_t id);

}  // namespace outbox::core

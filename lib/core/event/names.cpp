#include "core/event/names.hpp"

#include <algorithm>
#include <stdexcept>

namespace outbox::core {

void require_destination_name(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool is_name = !name.empty() && name.size() <= 32 && is_plain(name.front()) &&
                       std::all_of(name.begin(), name.end(),
                                   [&](char c) { return is_plain(c) || c == '_' || c == '-'; });
  if (!is_name) {
    throw std::invalid_argument{
        "outbox: destination: must be 1 to 32 characters of a-z, 0-9, _ and -, and begin with a "
        "letter or a digit"};
  }
}

}  // namespace outbox::core

#pragma once

// Names that people choose.

#include <string_view>

namespace outbox::core {

/// Throws: `std::invalid_argument` unless `name` matches `[a-z0-9][a-z0-9_-]{0,31}`: it becomes
/// part of a file name.
void require_destination_name(std::string_view name);

}  // namespace outbox::core

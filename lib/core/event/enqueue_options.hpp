#pragma once

// The options of `enqueue`: their rules, and what they mean for an event.

#include <span>
#include <string>
#include <string_view>

#include "outbox/enqueue.hpp"

namespace outbox::core {

/// Throws: `std::invalid_argument` unless `name` matches `[a-z0-9][a-z0-9_-]{0,31}`: it becomes
/// part of a file name.
void require_destination_name(std::string_view name, const std::string& field = "destination");

/// Throws: `std::invalid_argument` that names the option.
void require_enqueue_options(std::span<const Event> events, const EnqueueOptions& options);

/// The kind that is stored; empty: a track. A view into `options` or of a literal.
std::string_view kind_of(const Event& event, const EnqueueOptions& options);

/// The JSON object that is stored; empty: there are none.
/// Throws: `std::invalid_argument` when it is too long.
std::string headers_text(const std::vector<std::pair<std::string, std::string>>& headers);

}  // namespace outbox::core

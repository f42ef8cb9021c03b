#pragma once

// The names of enums that columns hold, read back.

#include <array>
#include <string_view>

#include "outbox/states.hpp"
#include "outbox/verdict.hpp"

namespace outbox::core {

/// The one of `all` with this name. A name that nobody knows is of another program that wrote to
/// the file: it counts as the first.
template <class Enum, std::size_t count>
constexpr Enum named(std::string_view name, const std::array<Enum, count>& all) {
  for (const Enum one : all) {
    if (name == to_string(one)) return one;
  }
  return all.front();
}

constexpr HoldKind hold_kind_named(std::string_view name) {
  return named(name, std::array{HoldKind::backing_off, HoldKind::unauthorized,
                                HoldKind::misconfigured, HoldKind::refuses_everything});
}

constexpr Verdict verdict_named(std::string_view name) {
  return named(
      name, std::array{Verdict::failed, Verdict::delivered, Verdict::refused, Verdict::unavailable,
                       Verdict::unauthorized, Verdict::misconfigured});
}

}  // namespace outbox::core

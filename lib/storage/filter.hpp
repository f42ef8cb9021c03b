#pragma once

// An EventFilter as a condition in SQL.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "outbox/inspect.hpp"
#include "storage/statement.hpp"

namespace outbox::storage {

/// The states of `EventFilter::state`, but for the empty one.
enum class StateName { pending, scheduled, retrying, delivered, dead, discarded };

/// Throws: `std::invalid_argument` for any other text.
StateName state_named(const std::string& name);

/// A part of the payload, for a statement; null for what is no JSON, which plain SQL may have
/// stored.
std::string field_sql(const std::string& path);

/// What is said of events, joined by "and", with the values that are bound to it.
class Condition {
 public:
  /// All events, or those of one state: written literally, so that the partial indexes are used.
  Condition() = default;
  Condition(StateName state, core::Instant now);

  /// Adds all of `filter` but its state and limit. `instant` is the column that since and until are
  /// about.
  Condition& add(const EventFilter& filter, const char* instant = "enqueued_at_ms");
  Condition& add(const std::string& sql);
  Condition& add(const std::string& sql_before_value, std::int64_t value);
  Condition& add(const std::string& sql_before_value, const std::string& value);

  /// " where …"; empty when nothing was said.
  std::string where() const;
  /// Binds the values to the first parameters of `statement`; returns how many they are. The
  /// condition must live until the statement is reset.
  int bind(Statement& statement) const;

 private:
  std::string sql_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

}  // namespace outbox::storage

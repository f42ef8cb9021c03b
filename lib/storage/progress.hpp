#pragma once

// What `Store::take` remembers between calls, so that no cost grows with the backlog.

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/clock.hpp"

namespace outbox::storage {

/// Up to where a range of the queue has been looked at: ordered by due time, then by id.
struct Cursor {
  std::int64_t due_at_ms = 0;
  std::int64_t id = std::numeric_limits<std::int64_t>::min();
  /// Events before the cursor that wait for an earlier one of their ordering key.
  std::size_t passed_over = 0;

  bool is_before(std::int64_t due_at_ms_, std::int64_t id_) const {
    return due_at_ms < due_at_ms_ || (due_at_ms == due_at_ms_ && id < id_);
  }
};

/// Each pending event before a cursor is under way, in doubt, a suspect, to be taken again, or
/// waits for an earlier one of its ordering key. The last kind is found again when that one has
/// left.
struct Progress {
  Cursor at_once = {};
  Cursor scheduled = {};
  core::Instant scheduled_since = {};     // when that walk began
  std::int64_t behind_end = 0;            // the last id that `behind` is about
  std::optional<Cursor> behind = {};      // a second look at what is before `at_once`
  std::set<std::int64_t> again = {};      // not delivered after all
  std::set<std::string> freed_keys = {};  // an event of them has left
  std::unordered_map<std::int64_t, std::string> keys = {};  // ordering keys of what was taken

  std::size_t passed_over() const { return at_once.passed_over + scheduled.passed_over; }
  bool may_wait() const { return passed_over() > 0 || behind; }
};

}  // namespace outbox::storage

#pragma once

// What is in flight: events that were taken from the queue and are not settled yet. It is the only
// thing about the queue that is in memory alone, with the place up to which the ready ones were
// looked at meanwhile.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "core/event/queued_event.hpp"

namespace outbox::storage {

class Taken;

/// Lifetime: must outlive every `Taken` of it. Threads: one at a time.
class Claims {
 public:
  Claims() = default;
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  bool is_empty() const { return groups_.empty(); }
  bool contains(std::int64_t id) const { return find(id) != nullptr; }
  /// The row of an event that is in flight, as it was when it was taken; null: it is not.
  const core::QueuedEvent* find(std::int64_t id) const {
    for (const Group& group : groups_) {
      if (group.empty() || id < group.front().id || id > group.back().id) continue;
      const auto found = std::lower_bound(
          group.begin(), group.end(), id,
          [](const core::QueuedEvent& row, std::int64_t wanted) { return row.id < wanted; });
      if (found != group.end() && found->id == id) return &*found;
    }
    return nullptr;
  }

  /// The rows of those of `ids` (ascending) that are in flight.
  std::vector<const core::QueuedEvent*> rows_of(const core::Ids& ids) const {
    std::vector<const core::QueuedEvent*> rows;
    rows.reserve(ids.size());
    const core::QueuedEvent* next = nullptr;  // neighbours are mostly of one group
    const core::QueuedEvent* end = nullptr;
    for (const std::int64_t id : ids) {
      if (next == end || next->id != id) {
        next = find(id);
        if (next == nullptr) {
          end = nullptr;
          continue;
        }
        for (const Group& group : groups_) {
          if (next >= group.data() && next < group.data() + group.size()) {
            end = group.data() + group.size();
          }
        }
      }
      rows.push_back(next++);
    }
    return rows;
  }

  /// Calls `action(row)` for each event in flight.
  template <class Action>
  void for_each(Action action) const {
    for (const Group& group : groups_) {
      for (const core::QueuedEvent& row : group) action(row);
    }
  }

  /// The state of the database at a take (`PRAGMA data_version`).
  void note_version(std::int64_t version) {
    is_disturbed_ = !groups_.empty() && (is_disturbed_ || version != version_);
    version_ = version;
  }
  /// Versions of one connection say nothing to another: what is in flight may have changed.
  void forget_version() { version_ = -1; }
  /// No other connection has committed since the oldest event in flight was taken.
  bool is_undisturbed_at(std::int64_t version) const {
    return !is_disturbed_ && version == version_;
  }

  /// Every ready event up to this id was looked at; what became ready since goes below it.
  std::int64_t looked_to() const { return groups_.empty() ? 0 : looked_to_; }
  void look_from(std::int64_t id) { looked_to_ = std::min(looked_to_, id - 1); }
  void set_looked_to(std::int64_t id) { looked_to_ = id; }

 private:
  friend class Taken;
  using Group = std::vector<core::QueuedEvent>;  // ascending by id

  std::list<Group> groups_;
  std::int64_t looked_to_ = 0;
  std::int64_t version_ = -1;
  bool is_disturbed_ = false;
};

/// Events that one owner has taken from the queue. What it has not settled goes back by itself.
class Taken {
 public:
  Taken() = default;
  /// Claims `events`, which must ascend by id.
  Taken(Claims& claims, std::vector<core::QueuedEvent> events) {
    if (events.empty()) return;
    claims_ = &claims;
    group_ = claims.groups_.insert(claims.groups_.end(), std::move(events));
  }
  Taken(Taken&& other) noexcept
      : claims_{std::exchange(other.claims_, nullptr)}, group_{other.group_} {}
  Taken& operator=(Taken&& other) noexcept {
    if (this != &other) {
      give_back();
      claims_ = std::exchange(other.claims_, nullptr);
      group_ = other.group_;
    }
    return *this;
  }
  ~Taken() { give_back(); }

  bool is_empty() const { return claims_ == nullptr; }
  /// Ascending by id.
  std::span<const core::QueuedEvent> events() const {
    return is_empty() ? std::span<const core::QueuedEvent>{} : *group_;
  }

  /// Takes those of `ids` (ascending) out of this one.
  Taken split(const core::Ids& ids) {
    if (is_empty() || ids.empty()) return {};
    if (ids.size() == group_->size()) return std::move(*this);
    Claims& claims = *claims_;
    // All memory first: what is moved half-way would be lost.
    Taken part;
    Claims::Group rest;
    rest.reserve(group_->size());
    part.group_ = claims.groups_.insert(claims.groups_.end(), Claims::Group{});
    part.claims_ = &claims;
    part.group_->reserve(ids.size());
    auto next = ids.begin();
    for (core::QueuedEvent& event : *group_) {
      while (next != ids.end() && *next < event.id) ++next;
      const bool is_in = next != ids.end() && *next == event.id;
      (is_in ? *part.group_ : rest).push_back(std::move(event));
    }
    *group_ = std::move(rest);
    if (group_->empty()) leave();
    if (part.group_->empty()) part.leave();
    return part;
  }

  /// All of them have left the queue's ready part: nothing is to be looked at again.
  void settle() noexcept { leave(); }

 private:
  void give_back() noexcept {
    if (claims_ == nullptr) return;
    if (!group_->empty()) claims_->look_from(group_->front().id);
    leave();
  }
  void leave() noexcept {
    if (claims_ == nullptr) return;
    claims_->groups_.erase(group_);
    claims_ = nullptr;
  }

  Claims* claims_ = nullptr;
  std::list<Claims::Group>::iterator group_ = {};
};

}  // namespace outbox::storage

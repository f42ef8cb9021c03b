#pragma once

// One take from the queue, while it goes on: for the parts of `Queue` only.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/life/queue.hpp"

namespace outbox::storage {

/// One take looks at this many rows, at most: those that it finds behind an earlier event of their
/// key are moved away in one transaction, which must be short.
inline constexpr std::size_t looks_max = 2'000;

/// The first columns of every statement that takes.
namespace column {
inline constexpr int event = 0;
inline constexpr int enqueued_at_ms = 1;
inline constexpr int payload = 2;
inline constexpr int validated = 3;
inline constexpr int ordering_key = 4;
inline constexpr int kind = 5;
inline constexpr int event_id = 6;
inline constexpr int headers = 7;
inline constexpr int stored_at_ms = 8;
inline constexpr int first_more = 9;
}  // namespace column

inline core::QueuedEvent row_at(const Statement& row, core::QueueState state,
                                std::int64_t due_at_ms) {
  return {.id = row.integer(column::event),
          .state = state,
          .due_at_ms = due_at_ms,
          .enqueued_at_ms = row.integer(column::enqueued_at_ms),
          .stored_at_ms = row.integer(column::stored_at_ms),
          .ordering_key = std::string{row.view(column::ordering_key)}};
}

struct Follower {
  std::string ordering_key;
  std::int64_t due_at_ms = 0;
};

struct Queue::Taking {
  Taking(const core::BatchLimits& limits_, core::Instant now_, const Claims& claims_)
      : limits{limits_}, now{now_}, claims{claims_} {
    // Most takes are full; a huge limit of a far larger table is no reason to reserve it all.
    const std::size_t expected = std::min<std::size_t>(limits.events_max, 1'024);
    take.events.reserve(expected);
    rows.reserve(expected);
  }

  const core::BatchLimits& limits;
  core::Instant now;
  const Claims& claims;
  bool has_scheduled = true;  // its walk through the scheduled events has not ended
  bool has_waiting = false;   // the destination has events that wait for their key
  Take take = {};
  std::vector<core::QueuedEvent> rows = {};
  std::unordered_set<std::int64_t> with_key = {};  // those of `rows` that have one
  std::unordered_set<std::string> held_keys = {};  // of events that wait
  std::optional<std::int64_t> passed = {};  // the first whose key is in flight: look again from it
  std::map<std::int64_t, Follower> followers = {};  // waiting events that may go now
  std::size_t bytes = 0;
  std::size_t looks = 0;

  /// An earlier event of `key` is in flight. In the table it may be discarded, or gone.
  bool is_in_flight_before(const std::string& key, std::int64_t id) {
    if (key.empty() || claims.is_empty()) return false;
    if (!keys_in_flight_) {
      keys_in_flight_.emplace();
      claims.for_each([this](const core::QueuedEvent& row) {
        if (row.ordering_key.empty()) return;
        const auto [first, is_new] = keys_in_flight_->emplace(row.ordering_key, row.id);
        if (!is_new) first->second = std::min(first->second, row.id);
      });
    }
    const auto first = keys_in_flight_->find(key);
    return first != keys_in_flight_->end() && first->second < id;
  }

  bool is_full() const { return rows.size() >= limits.events_max || bytes >= limits.bytes_max; }
  void add(const Statement& row, core::QueueState state, std::int64_t due_at_ms) {
    add(row, row_at(row, state, due_at_ms));
  }
  /// `event` is the one at `row`.
  void add(const Statement& row, core::QueuedEvent event) {
    rows.push_back(std::move(event));
    take.events.push_back({.id = rows.back().id,
                           .event_id = take.texts.keep(row.view(column::event_id)),
                           .payload = take.texts.keep(row.view(column::payload)),
                           .is_validated = row.integer(column::validated) == 1,
                           .ordering_key = take.texts.keep(rows.back().ordering_key),
                           .kind = take.texts.keep(row.view(column::kind)),
                           .headers = take.texts.keep(row.view(column::headers)),
                           .enqueued_at = core::instant_of(rows.back().stored_at_ms)});
    bytes += take.events.back().payload.size();
    if (!rows.back().ordering_key.empty()) with_key.insert(rows.back().id);
  }

 private:
  // The first event of each key in flight; none: nobody has asked yet.
  std::optional<std::unordered_map<std::string, std::int64_t>> keys_in_flight_ = {};
};

}  // namespace outbox::storage

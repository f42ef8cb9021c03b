#pragma once

// The request log: what was sent, what came of it, and what it delivered.

#include <cstdint>
#include <string>

#include "core/decide/endpoint_state.hpp"
#include "core/decide/settle.hpp"
#include "core/event/id_ranges.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// Of the requests that delivered nothing, this many of the newest are kept: a million events at
/// the default batch size. A row that delivered something lives as long as its events.
inline constexpr std::int64_t undelivered_requests_max = 10'000;

/// Requires, of each member: a write transaction is open.
/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class RequestLog {
 public:
  RequestLog(sqlite3* db, std::string destination);

  /// Adds a request that delivered `delivered` of its events; returns its id.
  std::int64_t add(const core::SentBatch& sent, const core::Ids& delivered);
  /// Notes what a search is still about.
  void change_search(const core::OpenSearch& search);
  /// Removes old rows, not at each call; `added` are the newest.
  void forget_old(const core::Ids& added);

 private:
  sqlite3* db_;
  std::string destination_;
  Statement add_;
  Statement change_search_;
  Statement forget_;
};

}  // namespace outbox::storage

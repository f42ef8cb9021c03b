#pragma once

// The tables that a raw loop drains: how it reads what goes next, and how it marks that as
// delivered.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "suite/raw.hpp"

namespace bench::raw {

/// Events in one request.
struct Batch {
  std::vector<sqlite3_int64> ids = {};
  std::string body = {};
  std::chrono::system_clock::time_point started = {};
};

/// What the loops have in common; each way of keeping events has statements of its own.
class EventTables {
 public:
  virtual ~EventTables() = default;

  /// Reads the next `events_max` pending events after those that it read before.
  void take(Batch& batch, std::size_t events_max);
  /// Marks them as delivered. Requires: a write transaction is open.
  virtual void mark(const Batch& batch) = 0;

 protected:
  /// `select` returns id and payload of pending events after ?1, and ?2 at most.
  explicit EventTables(Statement select) : select_{std::move(select)} {}

 private:
  Statement select_;
  sqlite3_int64 last_id_ = 0;
};

/// Lifetime: must be destroyed before `db`.
std::unique_ptr<EventTables> tables_of(Tables tables, const Database& db);

/// Makes a database in WAL mode with the one table that a good engineer writes by hand, filled with
/// the payloads that an outbox's file has. Fast, without a journal: only for scratch files.
void make_one_table(const std::string& path, const std::string& outbox_path);

}  // namespace bench::raw

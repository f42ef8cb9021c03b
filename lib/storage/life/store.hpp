#pragma once

// The dispatcher's side of the tables, on one connection.

#include <chrono>
#include <string>

#include "storage/life/destination_row.hpp"
#include "storage/life/ledger.hpp"
#include "storage/life/queue.hpp"
#include "storage/life/retention.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Store {
 public:
  /// Throws: `schema_error` when `db` is not migrated or newer; `database_error`.
  /// While another connection writes, each step is tried again for `patience` at most.
  Store(sqlite3* db, const std::string& name, std::chrono::milliseconds patience = busy_patience)
      : db_{with_schema(db, patience)},
        patience_{patience},
        reading_{db, Brackets::Kind::read, "read", Use::often},
        destination{db, name, patience},
        queue{db, name},
        ledger{db, name, destination, patience},
        old_requests{db, name} {}

  /// As `DestinationRow::serve`, for all parts.
  bool serve(const ServeOptions& options, core::Instant now) {
    queue.set_on_dead(options.on_dead);
    ledger.set_scrubs(options.scrubs);
    return destination.serve(options, now);
  }

  /// What is read until it ends is of one moment, which also spares SQLite's locks for each
  /// statement.
  ReadTransaction read() { return ReadTransaction{db_, &reading_}; }

  /// Removes some of what was delivered before `delivered_before`, in one transaction. True:
  /// nothing is left to remove.
  bool prune(core::Instant delivered_before, core::Instant now) {
    const core::Ids old = old_requests.find(delivered_before, now);
    if (old.empty()) return true;
    change_atomically(
        db_, "prune", [&] { old_requests.remove(old); }, patience_);
    return old_requests.is_through();
  }

 private:
  static sqlite3* with_schema(sqlite3* db, std::chrono::milliseconds patience) {
    while_busy([db] { require_schema(db); }, patience);
    return db;
  }

  sqlite3* db_;
  std::chrono::milliseconds patience_;
  Brackets reading_;

 public:
  DestinationRow destination;
  Queue queue;
  Ledger ledger;
  OldRequests old_requests;
};

}  // namespace outbox::storage

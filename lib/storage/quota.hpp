#pragma once

// The opt-in cap on what is pending. Looked at after the write and before it is released, since a
// transaction that reads first could not become the writer beside another one.

#include <cstdint>
#include <string>

#include "outbox/enqueue.hpp"

struct sqlite3;

namespace outbox::storage {

/// What one call of `enqueue` has stored.
struct Stored {
  std::int64_t events = 0;
  std::int64_t bytes = 0;
};

/// Remembers what it counted, so that a `Writer` counts now and then only: what was enqueued since
/// is known from the AUTOINCREMENT number, and what left the queue only makes room.
class Quota {
 public:
  explicit Quota(sqlite3* db) : db_{db} {}

  /// Requires: what was stored is in the transaction that is open.
  /// Throws: `queue_full` when more is pending now than `options` allow; `database_error`.
  void require_room(const EnqueueOptions& options, const Stored& stored);

 private:
  struct Count {
    std::string destination = {};
    std::int64_t events = 0;
    std::int64_t bytes = 0;
    std::int64_t sequence = 0;  // of the newest event then
  };

  bool has_room_for_certain(const EnqueueOptions& options, std::int64_t sequence) const;
  void count(const EnqueueOptions& options, std::int64_t sequence);
  std::int64_t count_events(const std::string& destination, std::int64_t count_max) const;
  std::int64_t count_bytes(const std::string& destination, std::int64_t bytes_max) const;
  std::int64_t query(const char* sql) const;

  sqlite3* db_;
  Count last_ = {};
  Stored since_ = {};  // by this object
};

}  // namespace outbox::storage

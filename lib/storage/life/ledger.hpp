#pragma once

// What became of events: records the changes of a round in one transaction.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/decide/settle.hpp"
#include "core/event/queued_event.hpp"
#include "storage/life/claims.hpp"
#include "storage/life/destination_row.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/life/request_log.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

/// The changes of one round.
struct Changes {
  core::Settlement settlement = {};
  std::vector<core::QueuedEvent> waiting = {};  // ready events found behind one of their key

  bool is_empty() const { return settlement.is_empty() && waiting.empty(); }
};

/// What recording them did.
struct Recorded {
  std::uint64_t delivered = 0;
  core::Ids left_alone = {};            // deaths and suspects that a person had changed meanwhile
  std::chrono::microseconds locked{0};  // for so long no other connection could write
};

/// Lifetime: must be destroyed before its connection is closed. Threads: the connection's.
class Ledger {
 public:
  /// `row` must outlive it.
  Ledger(sqlite3* db, std::string destination, DestinationRow& row,
         std::chrono::milliseconds patience);

  /// Payloads are overwritten once they are delivered. Set by `serve`.
  void set_scrubs(bool scrubs) { scrubs_ = scrubs; }

  /// Records `changes` in one transaction. Each change is guarded by the row as it was when it was
  /// taken, since people change events meanwhile, and a database may be restored in place: what is
  /// not as it was stays as it is, but an event that a person gave up and that arrived is
  /// delivered.
  ///
  /// Requires: the events of `changes` are in `claims`. Throws: `database_error`; then nothing of
  /// it is recorded. Recording the same changes twice has no further effect.
  Recorded record(const Changes& changes, Claims& claims, core::Instant now);

 private:
  struct Recording;
  // A run of neighbours in one statement; or, when a person has moved one of them, each alone.
  enum class Marks { by_run, one_by_one };

  std::optional<Recorded> try_record(const Changes& changes, Claims& claims, core::Instant now,
                                     Marks marks);
  void move_waiting(Recording& recording, const core::QueuedEvent& event);
  core::Ids deliver(Recording& recording, const core::Ids& ids);
  void deliver_run(Recording& recording, std::span<const core::QueuedEvent* const> run,
                   core::Ids& done);
  bool deliver_one(const core::QueuedEvent& event);
  bool try_change(Statement& change, const core::QueuedEvent& row);
  bool bury(Recording& recording, const core::Death& death);
  bool suspect(Recording& recording, const core::Suspect& suspect, std::int64_t request);
  void begin_search(Recording& recording, const core::SentBatch& sent, std::int64_t request);
  void change_search(Recording& recording, const core::OpenSearch& search);

  sqlite3* db_;
  std::string destination_;
  DestinationRow& row_;
  std::chrono::milliseconds patience_;
  RequestLog log_;
  Brackets writing_;
  bool scrubs_ = false;
  Statement move_waiting_;
  Statement count_run_;
  Statement data_version_;
  Statement remove_run_;
  Statement remove_;
  Statement scrub_;
  Statement bury_;
  Statement suspect_;
  Statement search_;
  Statement leave_search_;
  Statement end_search_;
  NextOfKey next_of_key_;
};

}  // namespace outbox::storage

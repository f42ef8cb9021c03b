#pragma once

// Changes that people make, of many events: in short transactions with pauses between them, so that
// no other writer is held up, and with a row in the audit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/doubt.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

/// So many events in one transaction: some milliseconds of writing.
inline constexpr std::size_t chunk_events = 200;

/// `ids` in order, each once.
core::Ids distinct(core::Ids ids);

/// Calls `work` with so many of `ids` at a time as one transaction takes.
template <class Work>
void for_each_chunk(const core::Ids& ids, Work work) {
  for (auto first = ids.begin(); first != ids.end();) {
    const auto count = std::min<std::ptrdiff_t>(chunk_events, ids.end() - first);
    work(core::Ids{first, first + count});
    first += count;
  }
}

/// For `BulkChange::end`. What waited for an event that is gone may go; no reason to ask an
/// endpoint on hold.
inline constexpr auto look_once =
    "update main.outbox_destinations set looks = looks + 1 where name = ?1 and ?2 > 0";

/// Changed events by destination.
using Tally = std::map<std::string, std::int64_t>;

/// One change, as the audit tells of it.
struct AuditNote {
  std::string action = {};
  std::string destination = {};  // empty: several
  std::string subject = {};
  ChangeNote note = {};
};

/// What `selection` says without personal data: "ids 3,5-9", "state=dead, user, since 2026-…".
std::string subject_of(const Selection& selection);

/// Runs chunks of a change and keeps its row of the audit, which grows with the work.
class BulkChange {
 public:
  /// Throws: `schema_error`.
  BulkChange(sqlite3* db, AuditNote note);

  /// Runs `work`, which returns what it changed, in a transaction of its own (or in the caller's),
  /// moves the counters by `settle`, and lets other writers in. Returns how many events changed.
  std::int64_t run(const std::function<Tally()>& work);

  /// Statement run for each destination in the tally, in the same transaction; ?1 is its name and
  /// ?2 the count.
  void also(std::string sql) { also_.push_back(std::move(sql)); }

  /// Runs `sql` for each destination with changes, in a transaction of its own.
  void end(const char* sql);

  std::int64_t total() const { return total_; }

 private:
  void audit(std::int64_t events);

  sqlite3* db_;
  AuditNote note_;
  std::vector<std::string> also_;
  std::int64_t audit_id_ = 0;
  std::int64_t total_ = 0;
  Tally totals_;
};

/// Writes a row of the audit. Requires: a write transaction is open.
std::int64_t write_audit(sqlite3* db, const AuditNote& note, std::int64_t events);

}  // namespace outbox::storage

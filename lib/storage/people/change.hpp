#pragma once

// Changes that people make, of many events: in short transactions with pauses between them, so that
// no other writer is held up, and with one row in the audit.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "storage/people/audit.hpp"
#include "storage/people/events.hpp"

struct sqlite3;

namespace outbox::storage {

/// This many events in one transaction: some milliseconds of writing.
inline constexpr std::size_t chunk_events = 200;

/// The same where each event may be on a page of its own that is written as a whole: about 2 MB.
std::size_t chunk_of_pages(sqlite3* db);

/// `ids` in order, each once.
core::Ids distinct(core::Ids ids);

/// Calls `work` with as many of `items` at a time as one transaction takes.
template <class Item, class Work>
void for_each_chunk(const std::vector<Item>& items, Work work, std::size_t size = chunk_events) {
  for (auto first = items.begin(); first != items.end();) {
    const auto count =
        std::min(static_cast<std::ptrdiff_t>(size), std::distance(first, items.end()));
    work(std::vector<Item>{first, first + count});
    first += count;
  }
}

/// What a transaction did to a destination.
struct Moved {
  std::int64_t events = 0;          // changed in all
  std::int64_t removed = 0;         // of them, from the log
  std::int64_t were_delivered = 0;  // of them, that count as delivered no more
};
using Tally = std::map<std::string, Moved>;

/// Whether a change asks the dispatcher of a destination to try now, whatever a hold says.
enum class Probe { none, asked };

/// Runs the transactions of one change, and keeps the counters and the row of the audit.
class BulkChange {
 public:
  /// Throws: `schema_error`.
  BulkChange(sqlite3* db, AuditNote note, Probe probe = Probe::none, Progress progress = {});

  /// Runs `work`, which returns what it changed, in a transaction of its own (or as a savepoint of
  /// the caller's), and lets other writers in.
  void run(const std::function<Tally()>& work);

  /// Runs `work` for all of `items`, as many at a time as one transaction takes; in the caller's
  /// transaction it is all or nothing. Returns `total`, or in a dry run how many items there are.
  template <class Item, class Work>
  std::int64_t run_all(const std::vector<Item>& items, Mode mode, Work work) {
    if (mode == Mode::dry_run) return static_cast<std::int64_t>(items.size());
    wholly([&] {
      for_each_chunk(
          items, [&](const std::vector<Item>& chunk) { run([&] { return work(chunk); }); },
          chunk_of_pages(db_));
    });
    return total_;
  }

  /// The same for events that are written or removed as a whole: no more than about 2 MB of them at
  /// a time.
  std::int64_t run_whole(const core::Ids& ids, Mode mode,
                         const std::function<Tally(const core::Ids&)>& work);

  /// How many events were changed in all.
  std::int64_t total() const { return total_; }

 private:
  void wholly(const std::function<void()>& change);
  void count(const std::string& destination, const Moved& moved);

  sqlite3* db_;
  AuditNote note_;
  Probe probe_;
  Progress progress_;
  std::int64_t audit_id_ = 0;
  std::int64_t total_ = 0;
  std::set<std::string> probed_ = {};
};

/// The keys of events that a change takes away. Their next events are freed at its end: freed
/// earlier, a row of the same change would have another state than the one that was read.
class KeysLeft {
 public:
  void add(const EventRow& row);
  /// Requires: the change's transaction is open.
  void free_next(sqlite3* db) const;

 private:
  std::set<std::pair<std::string, std::string>> keys_ = {};  // destination, key
};

/// Takes `rows` out of the log and the queue. Requires: a write transaction is open, and
/// secure_delete is on. What has no row in the queue counts as delivered, but for `never_queued`
/// (ascending).
Tally remove_rows(sqlite3* db, const std::vector<EventRow>& rows,
                  const core::Ids& never_queued = {});

}  // namespace outbox::storage

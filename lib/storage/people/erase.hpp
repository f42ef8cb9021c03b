#pragma once

// The right to be forgotten, as far as the tables are concerned. An erasure has several steps, and
// may be killed at each of them: its work list is a row of the audit until the last one is done.

#include <cstdint>
#include <string>
#include <vector>

#include "core/event/id_ranges.hpp"
#include "outbox/operate.hpp"

struct sqlite3;

namespace outbox::storage {

struct FoundEvents {
  core::Ids ids = {};                    // in order
  std::vector<std::string> places = {};  // why, one for each
  bool have_keys = false;                // some of them
};

/// Events about `subject`, of any state. Throws: `std::invalid_argument`, `schema_error`,
/// `database_error`.
FoundEvents find_events(sqlite3* db, const Subject& subject);

/// An erasure under way, with those that were not finished before.
class Erasure {
 public:
  /// Writes down what is to be erased. Requires: secure_delete is on, and no transaction is open.
  Erasure(sqlite3* db, const Subject& subject, const ChangeNote& note, FoundEvents found);

  /// Deletes the events, in short transactions, and those that earlier erasures have left. Returns
  /// how many of its own there were.
  std::int64_t remove_events();
  /// Takes away what the endpoint said of requests that held an event which is not in the log any
  /// more, erased or pruned, and of holds. `are_all_in`: no answer to a request under way follows.
  void forget_answers(bool are_all_in);
  /// Rewrites the pages in which copies of them, or of events pruned before, may be left.
  void rewrite_pages();
  /// Removes the work list from the audit, which then says only how many events were erased.
  void finish();
  /// Whether an earlier one had left something to do.
  bool goes_on() const { return goes_on_; }

 private:
  std::int64_t remove(const core::Ids& ids, const std::string& subject);

  sqlite3* db_;
  const Subject& subject_;
  ChangeNote note_;
  core::Ids ids_;  // found now
  core::Ids all_;  // and by erasures before
  bool have_keys_;
  bool goes_on_ = false;
  bool forgets_all_ = false;    // nobody knows any more whose the other one was
  std::int64_t work_list_ = 0;  // the newest row that this one finishes
};

/// Moves the WAL into the database and cuts it to nothing. False: someone is reading or writing;
/// then nobody is held up.
bool truncate_wal(sqlite3* db);

}  // namespace outbox::storage

#pragma once

// Work on a million rows beside an app that goes on writing: how long does the app wait?

#include <cstdint>
#include <functional>
#include <string>

#include "suite/backlog.hpp"
#include "suite/table.hpp"

struct sqlite3;

namespace bench {

struct Bulk {
  std::string name = {};
  std::int64_t rows = 1'000'000;
  EventState state = EventState::dead;  ///< Of the rows.
  /// The work, on a thread and a connection of its own, or on another to the same path. Returns how
  /// many events it changed, which must be all.
  std::function<std::int64_t(sqlite3* db, const std::string& path)> work = {};
};

struct BulkResult {
  std::vector<double> alone_ms = {};   ///< Each commit of the writer, without the work.
  std::vector<double> beside_ms = {};  ///< The same while the work ran.
  double work_seconds = 0;
};

/// A writer commits one row every 5 ms, with synchronous=FULL, first alone and then beside the
/// work. Throws: what the work throws.
BulkResult beside_writer(const Bulk& bulk, std::chrono::milliseconds alone);
void print_bulk(const Bulk& bulk, const BulkResult& result);

/// retry, prune and erase of a million events.
void measure_bulk(Size size);

}  // namespace bench

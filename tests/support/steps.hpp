#pragma once

// How much SQLite works, without a clock.

#include <sqlite3.h>

#include <cstdint>

namespace support {

struct Steps {
  std::int64_t all = 0;
  std::int64_t while_writing = 0;  // with the write lock, while other writers wait
};

/// How many steps of SQLite's machine `action` takes on `db`.
template <class Action>
Steps count_steps(sqlite3* db, Action action) {
  struct Counter {
    sqlite3* db;
    Steps steps = {};
  } counter{db};
  const auto count = [](void* context) {
    auto& [connection, steps] = *static_cast<Counter*>(context);
    ++steps.all;
    if (sqlite3_txn_state(connection, "main") == SQLITE_TXN_WRITE) ++steps.while_writing;
    return 0;
  };
  sqlite3_progress_handler(db, 1, count, &counter);
  action();
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  return counter.steps;
}

template <class Action>
std::int64_t steps_of(sqlite3* db, Action action) {
  return count_steps(db, action).all;
}

}  // namespace support

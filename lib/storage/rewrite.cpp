#include "storage/rewrite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <string>

#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "erase";
// Up to here a table is rewritten as a whole, in one transaction of some 100 ms. A larger one has
// so many pages that the page numbers have overwritten what was in its root.
constexpr std::int64_t whole_bytes_max = 8'000'000;
// Beyond that, so many events to either side: balancing moves rows between neighbouring pages only.
constexpr std::int64_t neighbours = 200;
constexpr std::int64_t neighbours_bytes_max = 4'000'000;

// The host's triggers are about its own changes, not about rows that are put back as they were.
class WithoutTriggers {
 public:
  explicit WithoutTriggers(sqlite3* db) : db_{db} { set(0); }
  ~WithoutTriggers() { set(1); }
  WithoutTriggers(const WithoutTriggers&) = delete;
  WithoutTriggers& operator=(const WithoutTriggers&) = delete;

 private:
  void set(int is_on) { sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, is_on, nullptr); }

  sqlite3* db_;
};

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

constexpr Range everything{0, INT64_MAX};

// Takes the rows of the range out of the table and puts them back.
void rewrite(sqlite3* db, const std::string& table, const Range& range) {
  const std::string rows =
      " where id between " + std::to_string(range.first) + " and " + std::to_string(range.last);
  const bool is_whole = range.last == everything.last;
  // Whole rows, whatever columns they have: nothing of them may change.
  const auto run = [&](const std::string& sql) { execute(db, sql.c_str(), action); };
  WriteTransaction transaction{db, action};
  run("create temp table outbox_kept as select * from main." + table + rows);
  // Without a condition the table becomes one empty page, which is zeroed.
  run("delete from main." + table + (is_whole ? "" : rows));
  run("insert into main." + table + " select * from temp.outbox_kept order by id");
  run("drop table temp.outbox_kept");
  transaction.commit();
}

bool is_small(sqlite3* db) {
  Statement rows{db, "select length(payload) from main.outbox_events", action};
  std::int64_t bytes = 0;
  while (bytes <= whole_bytes_max && rows.step()) bytes += rows.integer(0) + 100;
  return bytes <= whole_bytes_max;
}

// How far from `id` the neighbourhood reaches, one way.
std::int64_t edge(sqlite3* db, std::int64_t id, const char* sql) {
  Statement rows{db, sql, action};
  rows.bind(1, id).bind(2, neighbours);
  std::int64_t bytes = 0;
  std::int64_t last = id;
  while (bytes <= neighbours_bytes_max && rows.step()) {
    last = rows.integer(0);
    bytes += rows.integer(1);
  }
  return last;
}

Range neighbourhood(sqlite3* db, std::int64_t id) {
  return {edge(db, id,
               "select id, length(payload) from main.outbox_events where id < ?1"
               " order by id desc limit ?2"),
          edge(db, id,
               "select id, length(payload) from main.outbox_events where id > ?1"
               " order by id limit ?2")};
}

void rewrite_neighbourhoods(sqlite3* db, const core::Ids& ids) {
  Range range{};
  for (const std::int64_t id : ids) {
    // One neighbourhood covers what lies in its inner half.
    if (range.last > 0 && id <= range.first + (range.last - range.first) * 3 / 4) continue;
    range = neighbourhood(db, id);
    rewrite(db, "outbox_events", range);
  }
}

}  // namespace

void rewrite_around(sqlite3* db, const core::Ids& ids) {
  const bool is_whole = is_small(db);
  if (ids.empty() && !is_whole) return;
  const WithoutTriggers without{db};
  execute(db, "pragma temp_store = memory", action);  // no copy in a temporary file
  if (is_whole) {
    rewrite(db, "outbox_events", everything);
  } else {
    rewrite_neighbourhoods(db, ids);
  }
  rewrite(db, "outbox_batches", everything);
  // Keys may be made of names.
  for (const char* const index : {"outbox_dedupe", "outbox_keys", "outbox_dead_keys"}) {
    const std::string sql = "reindex main." + std::string{index};
    while_busy([&] { execute(db, sql.c_str(), action); });
  }
}

}  // namespace outbox::storage

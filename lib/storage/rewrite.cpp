#include "storage/rewrite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <string>

#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "erase";
// So many events to either side: balancing moves rows between neighbouring pages only.
constexpr std::int64_t neighbours = 200;
constexpr std::int64_t neighbours_bytes_max = 4'000'000;
constexpr int pause_ms = 20;  // about what one of these transactions takes

// The host's triggers and foreign keys are about its own changes, not about rows that are put back
// as they were.
class Unseen {
 public:
  explicit Unseen(sqlite3* db) : db_{db} {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &triggers_);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &foreign_keys_);
    set(0, 0);
  }
  ~Unseen() { set(triggers_, foreign_keys_); }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  void set(int triggers, int foreign_keys) {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, triggers, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys, nullptr);
  }

  sqlite3* db_;
  int triggers_ = 1;
  int foreign_keys_ = 0;
};

// Takes the rows of a table that match `where` out and puts them back.
void rewrite(sqlite3* db, const std::string& table, const std::string& where) {
  // Whole rows, whatever columns they have: nothing of them may change.
  const auto run = [&](const std::string& sql) { execute(db, sql.c_str(), action); };
  WriteTransaction transaction{db, action};
  run("create temp table outbox_kept as select * from main." + table + where);
  // Without a condition the table becomes one empty page, which is zeroed.
  run("delete from main." + table + where);
  run("insert into main." + table + " select * from temp.outbox_kept order by id");
  run("drop table temp.outbox_kept");
  transaction.commit();
}

// Makes the table grow before its first row until what its root held as a leaf is overwritten, and
// shrink again, unseen by others. Delivered rows without keys are in no index.
void fill_root(sqlite3* db) {
  WriteTransaction transaction{db, action};
  const std::int64_t page = query_integer(db, "pragma main.page_size", action).value_or(4'096);
  // The root names each page in 15 bytes (sqlite.org/fileformat2.html, 1.6, with the longest id);
  // six or seven of these rows fill one, and a split leaves pages half full. Half as many again to
  // be sure.
  const std::int64_t count = page / 15 * 7 * 3 / 2;
  const std::int64_t first =
      query_integer(db, "select min(id) from main.outbox_events", action).value_or(1);
  if (first < std::numeric_limits<std::int64_t>::min() + count) return;  // ids of nobody's making
  const std::int64_t before = std::min<std::int64_t>(first, 1) - count;
  const std::string rows =
      " between " + std::to_string(before) + " and " + std::to_string(before + count - 1);
  const std::string insert =
      "insert into main.outbox_events (id, event_id, payload, state, enqueued_at_ms)"
      " with recursive n (i) as (select " +
      std::to_string(before) + " union all select i + 1 from n where i + 1" + rows +
      ") select i, '', '{' || printf('%" + std::to_string(page / 8) + "s', '') || '}', 1, 0 from n";
  execute(db, insert.c_str(), action);
  execute(db, ("delete from main.outbox_events where id" + rows).c_str(), action);
  transaction.commit();
}

// How far from `id` a neighbourhood reaches, one way: to its `last` row, and with three quarters of
// it to `inner`. Where the table ends before, it reaches as far as ids do.
struct Edge {
  std::int64_t last = 0;
  std::int64_t inner = 0;
};

Edge edge(sqlite3* db, std::int64_t id, const char* sql, std::int64_t end) {
  Statement rows{db, sql, action};
  rows.bind(1, id);
  Edge edge{.last = end, .inner = end};
  std::int64_t bytes = 0;
  for (std::int64_t count = 1; rows.step(); ++count) {
    bytes += rows.integer(1);
    const bool is_inner = count <= neighbours / 4 * 3 && bytes <= neighbours_bytes_max / 4 * 3;
    if (!is_inner && edge.inner == end) edge.inner = edge.last == end ? id : edge.last;
    edge.last = rows.integer(0);
    if (count == neighbours || bytes > neighbours_bytes_max) return edge;
  }
  return {.last = end, .inner = end};
}

// The transactions let other writers in between.
void rewrite_neighbourhoods(sqlite3* db, const core::Ids& ids) {
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  constexpr auto min = std::numeric_limits<std::int64_t>::min();
  std::int64_t covered_to = min;
  for (const std::int64_t id : ids) {
    if (id <= covered_to && covered_to != min) continue;
    const Edge before = edge(db, id,
                             "select id, length(payload) from main.outbox_events where id < ?1"
                             " order by id desc",
                             min);
    const Edge after = edge(db, id,
                            "select id, length(payload) from main.outbox_events where id > ?1"
                            " order by id",
                            max);
    rewrite(
        db, "outbox_events",
        " where id between " + std::to_string(before.last) + " and " + std::to_string(after.last));
    covered_to = after.inner;
    sqlite3_sleep(pause_ms);
  }
}

}  // namespace

void rewrite_around(sqlite3* db, const core::Ids& ids) {
  if (ids.empty()) return;
  const Unseen unseen{db};
  execute(db, "pragma temp_store = memory", action);  // no copy in a temporary file
  rewrite_neighbourhoods(db, ids);
  fill_root(db);
  sqlite3_sleep(pause_ms);
  rewrite(db, "outbox_batches", "");
}

void rewrite_indexes(sqlite3* db) {
  for (const char* const index : {"outbox_dedupe", "outbox_keys", "outbox_dead_keys"}) {
    const std::string sql = "reindex main." + std::string{index};
    while_busy([&] { execute(db, sql.c_str(), action); });
  }
}

}  // namespace outbox::storage

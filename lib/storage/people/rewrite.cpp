#include "storage/people/rewrite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto rewrite_action = "erase";
constexpr int pause_ms = 20;  // about what one of these transactions takes

// How much one step rewrites: some pages, so that most of them become free, and little enough for
// other writers to wait some ten milliseconds. Steps overlap by more than the page at the seam
// holds. Of a row beyond a page at least an eighth of a page is in the table's own pages, the rest
// in pages that no other row has (sqlite.org/fileformat2.html, 1.6): each counts as half a page.
constexpr std::int64_t window_cost = 1'000'000;
constexpr std::int64_t window_pages = 8;
constexpr std::int64_t overlap_pages = 4;
// In bytes of text that take as long to write. A key is written into a page of its index that no
// other row of the step may need.
constexpr auto row_cost = "150";
constexpr auto key_cost = "1000";
constexpr std::int64_t filled_bytes = 1'000'000;  // in one step
constexpr std::int64_t wal_bytes_max = 8'000'000;

struct Table {
  const char* name;
  const char* key;    // the columns of the primary key
  const char* place;  // a row's key, as the text of a row value
  const char* keys;   // how many of a row are in an index, each in no order
};

constexpr Table events_table{"outbox_events", "id", "'(' || id || ')'", "(dedupe_key is not null)"};
constexpr Table requests_table{"outbox_requests", "id", "'(' || id || ')'", "0"};
constexpr Table queue_table{"outbox_queue", "destination, state, due_at_ms, event",
                            "'(' || quote(destination) || ',' || state || ',' || due_at_ms || ','"
                            " || event || ')'",
                            "(ordering_key is not null)"};

// The host's triggers, foreign keys and CHECKs are about its own changes, not about rows that are
// put back as they were.
class Unseen {
 public:
  explicit Unseen(sqlite3* db) : db_{db} {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &triggers_);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &foreign_keys_);
    set(0, 0);
    execute(db_, "pragma ignore_check_constraints = on", rewrite_action);
    execute(db_, "pragma temp_store = memory", rewrite_action);  // no copy in a temporary file
  }
  ~Unseen() {
    set(triggers_, foreign_keys_);
    sqlite3_exec(db_, "pragma ignore_check_constraints = off", nullptr, nullptr, nullptr);
  }
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

// Rows of a table from one place to another, both included; none: from its begin, to its end.
struct Span {
  std::optional<std::string> from = {};
  std::optional<std::string> to = {};
};

std::string where(const Table& table, const Span& span) {
  std::string sql = " where 1";
  const std::string key = " and (" + std::string{table.key} + ")";
  if (span.from) sql += key + " >= " + *span.from;
  if (span.to) sql += key + " <= " + *span.to;
  return span.from || span.to ? sql : "";
}

constexpr auto as_names = "\"%w\"";
constexpr auto as_bytes = "ifnull(length(cast(\"%w\" as blob)), 0)";  // `length` counts letters

// What a row is made of, as SQL: columns that the host generates are made again.
std::string columns_of(sqlite3* db, const Table& table, const char* as, const char* between) {
  Statement row{db,
                "select group_concat(printf(?2, name), ?3) from (select name from"
                " pragma_table_xinfo(?1, 'main') where hidden = 0 order by cid)",
                rewrite_action};
  row.bind(1, std::string_view{table.name})
      .bind(2, std::string_view{as})
      .bind(3, std::string_view{between})
      .step();
  return row.text(0);
}

// Takes the rows of `span` out and puts them back. The whole table becomes one empty page between,
// which is zeroed.
void rewrite(sqlite3* db, const Table& table, const Span& span) {
  const std::string name = std::string{"main."} + table.name;
  const std::string columns = columns_of(db, table, as_names, ", ");
  const auto run = [&](const std::string& sql) { execute(db, sql.c_str(), rewrite_action); };
  {
    // Whole rows, whatever columns they have: nothing of them may change.
    WriteTransaction transaction{db, rewrite_action};
    run("create temp table outbox_kept as select " + columns + " from " + name +
        where(table, span));
    run("delete from " + name + where(table, span));
    run("insert into " + name + " (" + columns + ") select * from temp.outbox_kept order by rowid");
    run("drop table temp.outbox_kept");
    transaction.commit();
  }
  let_others_in(db);
}

// Where a window ends, and where the next one begins.
struct Window {
  std::string end;
  std::string seam;
};

// The window at the begin of `span`; none: it holds less.
std::optional<Window> window_in(sqlite3* db, const Table& table, const Span& span,
                                std::int64_t page) {
  Statement row{db,
                std::string{"select "} + table.place + ", " +
                    columns_of(db, table, as_bytes, " + ") + ", " + row_cost + " + " + key_cost +
                    " * " + table.keys + " from main." + table.name + where(table, span) +
                    " order by " + table.key,
                rewrite_action};
  std::vector<std::pair<std::string, std::int64_t>> seen;  // a place, and what is before it
  std::int64_t size = 0;
  std::int64_t cost = 0;
  while (row.step()) {
    seen.emplace_back(row.text(0), size);
    size += std::min(row.integer(1), page / 2);
    cost += row.integer(1) + row.integer(2);
    if (cost < window_cost || size < window_pages * page) continue;
    const std::int64_t overlap = std::max(overlap_pages * page, size / 4);
    auto seam = seen.end() - 1;
    while (size - seam->second < overlap) --seam;
    return Window{.end = seen.back().first, .seam = seam->first};
  }
  return std::nullopt;
}

// Rewrites a table in windows. Each one begins inside the one before: the page at the end of a
// window holds other rows too and is not freed. True: there was only one, so that the root was
// empty between, and zeroed.
bool sweep(sqlite3* db, const Table& table, std::int64_t page) {
  Span span;
  while (const auto window = window_in(db, table, span, page)) {
    rewrite(db, table, {span.from, window->end});
    span.from = window->seam;
  }
  rewrite(db, table, span);
  return !span.from;
}

// `count` numbers from `first`.
std::string numbers(std::int64_t first, std::int64_t count) {
  return "with recursive n (i) as (select " + std::to_string(first) +
         " union all select i + 1 from n where i < " + std::to_string(first + count - 1) + ") ";
}

// The lowest id of the log, if it is of a filling: ids are positive, but for those.
std::int64_t lowest_filling(sqlite3* db) {
  const auto lowest = query_integer(db, "select min(id) from main.outbox_events", rewrite_action);
  return std::min<std::int64_t>(lowest.value_or(0), 0);
}

bool has_event(sqlite3* db, std::int64_t id) {
  Statement row{db, "select 1 from main.outbox_events where id = ?1", rewrite_action};
  return row.bind(1, id).step();
}

// Removes what fills the log now, the first rows first, and not what another erasure adds below
// meanwhile: else neither would end.
void remove_filling(sqlite3* db, std::int64_t rows) {
  const std::string sql =
      "delete from main.outbox_events where id in (select id from main.outbox_events"
      " where id between " +
      std::to_string(lowest_filling(db)) + " and -1 order by id desc limit " +
      std::to_string(rows) + ")";
  for (bool is_done = false; !is_done;) {
    WriteTransaction transaction{db, rewrite_action};
    execute(db, sql.c_str(), rewrite_action);
    is_done = sqlite3_changes(db) == 0;
    transaction.commit();
    if (!is_done) let_others_in(db);
  }
}

// Makes the log grow before its first rows until no page of the file is free, and `with_root` until
// its root is full, and shrink again: a root that is full becomes an inner page and is zeroed, and
// so is a page that becomes free now. The root names each page in 15 bytes, with ids as long as
// these, and each of these rows has a page of its own.
//
// Each row is an event to the host's indexes and generated columns: what each track has is there,
// and differs where an index may want it to. Whether a page is free is asked before the commit,
// while nobody else can free one.
void fill_log(sqlite3* db, std::int64_t page, bool with_root) {
  const std::int64_t rows = std::max<std::int64_t>(1, filled_bytes / page);
  const std::int64_t rows_min = with_root ? page / 15 * 3 / 2 : 0;  // half as many again to be sure
  const std::string bytes = std::to_string(page / 4 * 3);
  remove_filling(db, rows);  // of an erasure that was killed
  std::int64_t first = 0;
  std::int64_t made = 0;
  const auto is_full = [&] {
    return made >= rows_min &&
           query_integer(db, "pragma main.freelist_count", rewrite_action).value_or(0) == 0;
  };
  for (bool is_done = false; !is_done;) {
    WriteTransaction transaction{db, rewrite_action};
    const std::int64_t lowest = lowest_filling(db);
    // Another erasure that ended has removed them: the root was not full.
    if (!has_event(db, first)) made = 0;
    if (is_full()) break;  // without filling anything, or others have taken the rest
    if (made == 0) first = lowest - 1;
    const std::string sql = numbers(1, rows) +
                            "insert into main.outbox_events (id, payload) select " +
                            std::to_string(lowest) +
                            " - i, printf('{\"event_name\":\"\",\"user_id\":\"%d\",\"timestamp\":"
                            "\"1970-01-01T00:00:00Z\"%" +
                            bytes + "s}', " + std::to_string(lowest) + " - i, '') from n";
    execute(db, sql.c_str(), rewrite_action);
    made += rows;
    is_done = is_full();
    transaction.commit();
    let_others_in(db);
  }
  remove_filling(db, rows);
}

// The same for the queue, unseen by others. An inner page of it holds whole rows: of these, four at
// most, so that a thousand make five levels.
void fill_queue(sqlite3* db, std::int64_t page) {
  constexpr std::int64_t rows = 1'000;
  const std::string queue = numbers(-rows, rows) +  // not the events of others: see `fill_log`
                            "insert into main.outbox_queue (destination, event, enqueued_at_ms,"
                            " last_error) select '', i, 0, printf('%" +
                            std::to_string(page / 5) + "s', '') from n";
  WriteTransaction transaction{db, rewrite_action};
  execute(db, queue.c_str(), rewrite_action);
  execute(db, "delete from main.outbox_queue where destination = ''", rewrite_action);
  transaction.commit();
}

}  // namespace

// Moves the WAL into the database after a step: SQLite's own 1,000 pages are 64 MB of the largest
// ones. A checkpoint that others have added to does not make the WAL begin anew, so that it would
// grow beside a busy writer; RESTART does, and keeps others out while it looks for readers. It does
// not wait for them.
void let_others_in(sqlite3* db) {
  int in_wal = 0;
  sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, nullptr);
  const std::int64_t page =
      query_integer(db, "pragma main.page_size", rewrite_action).value_or(4'096);
  if (in_wal * page > wal_bytes_max) {
    const WithoutWaiting hurry{db};
    sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  }
  sqlite3_sleep(pause_ms);
}

void rewrite_pages(sqlite3* db) {
  const Unseen unseen{db};
  const std::int64_t page =
      query_integer(db, "pragma main.page_size", rewrite_action).value_or(4'096);
  sqlite3_wal_autocheckpoint(db, 0);  // `let_others_in` does it
  const bool is_log_done = sweep(db, events_table, page);
  sweep(db, requests_table, page);  // only written with secure_delete on: its root is clean
  if (!sweep(db, queue_table, page)) fill_queue(db, page);
  fill_log(db, page, !is_log_done);
}

void rewrite_indexes(sqlite3* db) {
  for (const char* const index : {"outbox_dedupe", "outbox_queue_keys", "outbox_queue_dead_keys"}) {
    const std::string sql = "reindex main." + std::string{index};
    while_busy([&] { execute(db, sql.c_str(), rewrite_action); });
  }
}

}  // namespace outbox::storage

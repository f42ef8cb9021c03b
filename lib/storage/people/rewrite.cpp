#include "storage/people/rewrite.hpp"

#include <sqlite3.h>

#include <optional>
#include <string>

#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "erase";
constexpr int pause_ms = 20;  // about what one of these transactions takes

// This many rows, or fewer where they are large. Of rows beyond a page at most eight share one
// (sqlite.org/fileformat2.html, 1.6), so that even then `rows_min` are some pages.
struct Size {
  std::int64_t rows;
  std::int64_t bytes = 4'000'000;
  std::int64_t rows_min = 32;
};
constexpr Size window{.rows = 2'000};
constexpr Size to_seam{.rows = 1'500, .bytes = 3'000'000, .rows_min = 24};

struct Table {
  const char* name;
  const char* key;    // the columns of the primary key
  const char* place;  // a row's key, as the text of a row value
  const char* bytes;
};

constexpr Table events_table{"main.outbox_events", "id", "'(' || id || ')'", "length(payload)"};
constexpr Table requests_table{"main.outbox_requests", "id", "'(' || id || ')'", "length(ids)"};
constexpr Table queue_table{"main.outbox_queue", "destination, state, due_at_ms, event",
                            "'(' || quote(destination) || ',' || state || ',' || due_at_ms || ','"
                            " || event || ')'",
                            "50"};

// The host's triggers, foreign keys and CHECKs are about its own changes, not about rows that are
// put back as they were.
class Unseen {
 public:
  explicit Unseen(sqlite3* db) : db_{db} {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &triggers_);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &foreign_keys_);
    set(0, 0);
    execute(db_, "pragma ignore_check_constraints = on", action);
    execute(db_, "pragma temp_store = memory", action);  // no copy in a temporary file
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

// Takes the rows of `span` out and puts them back. The whole table becomes one empty page between,
// which is zeroed.
void rewrite(sqlite3* db, const Table& table, const Span& span) {
  const std::string name = table.name;
  const auto run = [&](const std::string& sql) { execute(db, sql.c_str(), action); };
  {
    // Whole rows, whatever columns they have: nothing of them may change.
    WriteTransaction transaction{db, action};
    run("create temp table outbox_kept as select * from " + name + where(table, span));
    run("delete from " + name + where(table, span));
    run("insert into " + name + " select * from temp.outbox_kept order by rowid");
    run("drop table temp.outbox_kept");
    transaction.commit();
  }
  sqlite3_sleep(pause_ms);
}

// The place at the end of so much of `span`; none: it holds less. `order` is "asc", or for a table
// with a single key "desc": from the end of the span.
std::optional<std::string> place_after(sqlite3* db, const Table& table, const Span& span,
                                       const Size& size, const char* order = "asc") {
  Statement row{db,
                std::string{"select "} + table.place + ", " + table.bytes + " from " + table.name +
                    where(table, span) + " order by " + table.key + " " + order,
                action};
  std::int64_t bytes = 0;
  for (std::int64_t rows = 1; row.step(); ++rows) {
    bytes += row.integer(1);
    const bool are_large = bytes >= size.bytes && rows >= size.rows_min;
    if (rows >= size.rows || are_large) return row.text(0);
  }
  return std::nullopt;
}

// Rewrites `span` in windows. Each one begins inside the one before: the page at the end of a
// window holds other rows too and is not freed.
void sweep(sqlite3* db, const Table& table, Span span) {
  while (const auto end = place_after(db, table, span, window)) {
    const auto seam = place_after(db, table, span, to_seam);
    rewrite(db, table, {span.from, end});
    span.from = seam;
  }
  rewrite(db, table, span);
}

std::string place_of(std::int64_t id) {
  return "(" + std::to_string(id) + ")";
}

// What surrounds each of `ids`, together where that overlaps, as far as copies of a row can have
// moved: balancing moves rows between neighbouring pages only.
void sweep_around(sqlite3* db, const Table& table, const core::Ids& ids, std::int64_t page) {
  const Size reach{.rows = page / 20};  // four pages of the smallest rows
  for (auto id = ids.begin(); id != ids.end();) {
    Span span{.from = place_after(db, table, {.to = place_of(*id)}, reach, "desc")};
    bool is_inside = true;
    while (id != ids.end() && is_inside) {
      span.to = place_after(db, table, {.from = place_of(*id)}, reach);
      ++id;
      is_inside = id != ids.end() && (!span.to || *id <= std::stoll(span.to->substr(1)));
    }
    sweep(db, table, span);
  }
}

// `count` numbers from 1.
std::string numbers(std::int64_t count) {
  return "with recursive n (i) as (select 1 union all select i + 1 from n where i < " +
         std::to_string(count) + ") ";
}

// Makes the log and the queue grow before their first rows until their roots are full, and shrink
// again, unseen by others: a root that is full becomes an inner page, and is zeroed.
void fill_roots(sqlite3* db, std::int64_t page) {
  // The root of the log names each page in 15 bytes, with ids as long as these, and each of these
  // rows has a page of its own. Half as many again to be sure.
  const std::string log = numbers(page / 15 * 3 / 2) +
                          "insert into main.outbox_events (id, event_id, payload) select -i, '',"
                          " printf('%" +
                          std::to_string(page / 4 * 3) + "s', '') from n";
  // An inner page of the queue holds whole rows: of these, four at most, so that a thousand make
  // five levels.
  const std::string queue = numbers(1'000) +
                            "insert into main.outbox_queue (destination, event, enqueued_at_ms,"
                            " last_error) select '', i, 0, printf('%" +
                            std::to_string(page / 5) + "s', '') from n";
  WriteTransaction transaction{db, action};
  execute(db, log.c_str(), action);
  execute(db, "delete from main.outbox_events where id < 0", action);
  execute(db, queue.c_str(), action);
  execute(db, "delete from main.outbox_queue where destination = ''", action);
  transaction.commit();
}

}  // namespace

void rewrite_pages(sqlite3* db, const core::Ids& events, const core::Ids& requests) {
  const Unseen unseen{db};
  const std::int64_t page = query_integer(db, "pragma main.page_size", action).value_or(4'096);
  if (!events.empty()) {
    sweep_around(db, events_table, events, page);
    sweep_around(db, requests_table, requests, page);
    sweep(db, queue_table, {});
  }
  fill_roots(db, page);
}

void rewrite_indexes(sqlite3* db) {
  for (const char* const index : {"outbox_dedupe", "outbox_queue_keys", "outbox_queue_dead_keys"}) {
    const std::string sql = "reindex main." + std::string{index};
    while_busy([&] { execute(db, sql.c_str(), action); });
  }
}

}  // namespace outbox::storage

#include "suite/raw_tables.hpp"

#include <stdexcept>
#include <utility>

namespace bench::raw {

namespace {

using std::chrono::milliseconds;
using SystemClock = std::chrono::system_clock;

std::int64_t unix_ms(SystemClock::time_point time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

void require_changed(const Database& db, std::size_t rows) {
  if (sqlite3_changes64(db.get()) != static_cast<sqlite3_int64>(rows)) {
    throw std::runtime_error{"raw: an event was not there to be marked"};
  }
}

// What a good engineer writes by hand. The index holds what is pending, and nothing else.
constexpr auto one_table = R"sql(
  create table events (
    id integer primary key autoincrement,
    payload text not null,
    state integer not null default 0,
    settled_at_ms integer
  );
  create index events_pending on events (id) where state = 0)sql";

class OneTable : public EventTables {
 public:
  explicit OneTable(const Database& db)
      : EventTables{prepare(
            db, "select id, payload from events where state = 0 and id > ?1 order by id limit ?2")},
        db_{db},
        mark_{prepare(db, "update events set state = 1, settled_at_ms = ?2 where id = ?1")} {}

  void mark(const Batch& batch) override {
    sqlite3_bind_int64(mark_.get(), 2, unix_ms(SystemClock::now()));
    for (const sqlite3_int64 id : batch.ids) {
      sqlite3_bind_int64(mark_.get(), 1, id);
      run(mark_);
      require_changed(db_, 1);
    }
  }

 private:
  const Database& db_;
  Statement mark_;
};

// What the library promises of its tables, and no more: the row leaves the queue, the request is
// logged, the counters are right.
class LogAndQueue : public EventTables {
 public:
  explicit LogAndQueue(const Database& db)
      : EventTables{prepare(db,
                            "select e.id, e.payload from outbox_queue q cross join outbox_events e"
                            " on e.id = q.event where q.destination = 'track' and q.state = 0"
                            " and q.due_at_ms = 0 and q.event > ?1 order by q.event limit ?2")},
        db_{db},
        remove_run_{prepare(db,
                            "delete from outbox_queue where destination = 'track' and state = 0"
                            " and due_at_ms = 0 and event between ?1 and ?2")},
        log_{prepare(db,
                     "insert into outbox_requests (destination, started_at_ms, took_ms, events,"
                     " first_id, last_id, ids, delivered_ids, bytes, status, outcome) values"
                     " ('track', ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 200, 'delivered')")},
        count_{prepare(db,
                       "update outbox_destinations set delivered = delivered + ?1,"
                       " delivered_total = delivered_total + ?1,"
                       " requests_total = requests_total + 1 where name = 'track'")} {
    execute(db, "insert into outbox_destinations (name) values ('track') on conflict do nothing");
  }

  void mark(const Batch& batch) override {
    std::string ranges;
    const auto& ids = batch.ids;
    for (auto first = ids.begin(); first != ids.end();) {  // neighbours by id are one run
      auto end = first + 1;
      while (end != ids.end() && *end == *(end - 1) + 1) ++end;
      remove(*first, *(end - 1));
      require_changed(db_, static_cast<std::size_t>(end - first));
      if (!ranges.empty()) ranges += ',';
      ranges += std::to_string(*first);
      if (end - first > 1) ranges += '-' + std::to_string(*(end - 1));
      first = end;
    }
    log(batch, ranges);
    sqlite3_bind_int64(count_.get(), 1, static_cast<sqlite3_int64>(ids.size()));
    run(count_);
    require_changed(db_, 1);
  }

 private:
  void remove(sqlite3_int64 first, sqlite3_int64 last) {
    sqlite3_bind_int64(remove_run_.get(), 1, first);
    sqlite3_bind_int64(remove_run_.get(), 2, last);
    run(remove_run_);
  }

  void log(const Batch& batch, const std::string& ranges) {
    const auto took = std::chrono::floor<milliseconds>(SystemClock::now() - batch.started);
    sqlite3_bind_int64(log_.get(), 1, unix_ms(batch.started));
    sqlite3_bind_int64(log_.get(), 2, took.count());
    sqlite3_bind_int64(log_.get(), 3, static_cast<sqlite3_int64>(batch.ids.size()));
    sqlite3_bind_int64(log_.get(), 4, batch.ids.front());
    sqlite3_bind_int64(log_.get(), 5, batch.ids.back());
    raw::bind(log_, 6, ranges);
    sqlite3_bind_int64(log_.get(), 7, static_cast<sqlite3_int64>(batch.body.size()));
    run(log_);
  }

  const Database& db_;
  Statement remove_run_;
  Statement log_;
  Statement count_;
};

}  // namespace

void EventTables::take(Batch& batch, std::size_t events_max) {
  batch.ids.clear();
  batch.body = "[";
  sqlite3_bind_int64(select_.get(), 1, last_id_);
  sqlite3_bind_int64(select_.get(), 2, static_cast<sqlite3_int64>(events_max));
  while (sqlite3_step(select_.get()) == SQLITE_ROW) {
    last_id_ = sqlite3_column_int64(select_.get(), 0);
    batch.ids.push_back(last_id_);
    if (batch.ids.size() > 1) batch.body += ',';
    const auto* const text = sqlite3_column_text(select_.get(), 1);
    const int bytes = sqlite3_column_bytes(select_.get(), 1);
    batch.body.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
  }
  sqlite3_reset(select_.get());
  batch.body += ']';
}

std::unique_ptr<EventTables> tables_of(Tables tables, const Database& db) {
  if (tables == Tables::one) return std::make_unique<OneTable>(db);
  return std::make_unique<LogAndQueue>(db);
}

void make_one_table(const std::string& path, const std::string& outbox_path) {
  const Database db = open(path, SQLITE_OPEN_CREATE);
  execute(db, "pragma journal_mode = off; pragma synchronous = off");
  const Statement attach = prepare(db, "attach ?1 as source");
  raw::bind(attach, 1, outbox_path);
  run(attach);
  execute(db, one_table);
  execute(db,
          "insert into events (payload) select payload from source.outbox_events order by id;"
          " detach source; pragma journal_mode = wal");
}

}  // namespace bench::raw

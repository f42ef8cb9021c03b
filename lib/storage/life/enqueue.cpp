#include "outbox/enqueue.hpp"

#include <algorithm>
#include <optional>

#include "core/clock.hpp"
#include "core/event/enqueue_options.hpp"
#include "core/event/payload.hpp"
#include "core/event/timestamp.hpp"
#include "core/event/uuid.hpp"
#include "outbox/errors.hpp"
#include "storage/life/log_gap.hpp"
#include "storage/life/random_bytes.hpp"
#include "storage/life/room.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

using Microseconds = std::chrono::sys_time<std::chrono::microseconds>;
using std::chrono::milliseconds;

std::int64_t due_at_ms(const EnqueueOptions& options) {
  if (!options.not_before) return 0;
  return std::chrono::ceil<milliseconds>(options.not_before->time_since_epoch()).count();
}

}  // namespace

// ?1 to ?4 are the same for all rows of a call; each row has four of its own after them.
constexpr int shared_values = 4;
constexpr int row_values = 4;
constexpr auto insert_into =
    "insert into main.outbox_events (ordering_key, due_at_ms, enqueued_at_ms, headers, event_id,"
    " destination, payload, kind, validated";

std::string insert_rows(std::size_t rows) {
  std::string sql = std::string{insert_into} + ") values ";
  int value = shared_values;
  for (std::size_t row = 0; row < rows; ++row) {
    sql += row == 0 ? "(?1, ?2, ?3, ?4" : ", (?1, ?2, ?3, ?4";
    for (int i = 0; i < row_values; ++i) sql += ", ?" + std::to_string(++value);
    sql += ", 1)";
  }
  return rows == 1 ? sql : sql + " returning id";
}

// Not OR IGNORE or ON CONFLICT, which burn an AUTOINCREMENT id. A statement of its own: reading the
// table it writes costs SQLite a temporary table.
constexpr auto insert_unless_there =
    ", dedupe_key) select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9 where not exists"
    " (select 1 from main.outbox_events where destination = ?6 and dedupe_key = ?9)";

// Rows of one statement. Within a savepoint each copies the pages that it changes, so many rows in
// one take half as long; beyond some 25 nothing more is gained.
constexpr std::size_t rows_at_once = 25;

// An event that has passed every check and only needs its row.
struct Draft {
  std::string event_id = {}, payload = {};
  std::string_view kind = {};
};

// What one row of the log is made of.
struct Row {
  const Draft* draft;
  const std::string* destination;
};

// The statements that store events on one connection.
class Inserter {
 public:
  explicit Inserter(sqlite3* db, Use use)
      : db_{db},
        use_{use},
        insert_{db, insert_rows(1), "enqueue", use},
        random_{use == Use::often ? std::size_t{25} : std::size_t{1}} {
    if (use == Use::often) {
      kept_savepoint_.emplace(db, Brackets::Kind::savepoint, "enqueue", use);
    }
  }

  std::vector<Enqueued> enqueue(std::span<const Event> events, const EnqueueOptions& options) {
    if (sqlite3_get_autocommit(db_) != 0) throw not_in_transaction{};
    core::require_enqueue_options(events, options);
    const std::vector<std::string> one{options.destination};
    const std::vector<std::string>& destinations =
        options.destinations.empty() ? one : options.destinations;
    const std::string headers = core::headers_text(options.headers);
    const std::vector<Draft> drafts = drafts_of(events, options);
    std::vector<Row> rows;
    rows.reserve(drafts.size() * destinations.size());
    for (const Draft& draft : drafts) {
      for (const std::string& destination : destinations) rows.push_back({&draft, &destination});
    }

    int has_triggers = 1;
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &has_triggers);
    has_triggers_ = has_triggers != 0;
    const KeptRowid kept{db_};
    std::vector<Enqueued> results;
    results.reserve(rows.size());
    if (rows.empty()) return results;
    try {
      // For a single event too: a trigger of the host's that raises FAIL would leave its row
      // behind.
      Savepoint savepoint{db_, "enqueue", kept_savepoint_ ? &*kept_savepoint_ : nullptr};
      const bool may_be_there = !options.dedupe_key.empty();
      for (std::span<const Row> rest{rows}; !rest.empty();) {
        const std::size_t count = may_be_there || rest.size() < rows_at_once ? 1 : many();
        if (may_be_there) {
          results.push_back(store_unless_there(rest.front(), options, headers));
        } else {
          store(rest.first(count), options, headers, results);
        }
        rest = rest.subspan(count);
      }
      for (const std::string& destination : destinations) {
        if (options.pending_events_max) {
          require_room(db_, destination, *options.pending_events_max);
        }
      }
      savepoint.release();
    } catch (const database_error& error) {
      // Interrupted, or out of disk, SQLite ends the host's transaction (c3ref/interrupt.html).
      if (sqlite3_get_autocommit(db_) == 0) throw;
      throw database_error{error.code(),
                           std::string{error.what()} +
                               "; SQLite has rolled back the whole transaction that was open"};
    }
    return results;
  }

 private:
  std::vector<Draft> drafts_of(std::span<const Event> events, const EnqueueOptions& options) {
    const auto now = core::system_now_us();
    enqueued_at_ms_ = std::chrono::floor<milliseconds>(now).time_since_epoch().count();
    Microseconds timestamp = core::timestamp_after(last_timestamp_, now);
    std::vector<Draft> drafts;
    drafts.reserve(events.size());
    for (const Event& event : events) {
      Draft draft{
          .event_id = core::uuid7(core::Instant{milliseconds{enqueued_at_ms_}}, random_.next()),
          .kind = core::kind_of(event, options)};
      const std::string timestamp_text = core::utc_text(timestamp);
      draft.payload = core::payload_text(
          event, drafts.size(),
          {.timestamp = timestamp_text,
           .event_id = options.puts_event_id_in_context ? std::string_view{draft.event_id} : "",
           .kind = draft.kind,
           .bytes_max = options.event_bytes_max});
      drafts.push_back(std::move(draft));
      last_timestamp_ = timestamp;
      timestamp += milliseconds{1};
    }
    return drafts;
  }

  // How many rows go into one statement, where there are that many. A host may have set the limit
  // of values low (sqlite.org/security.html advises it), and a row of no trigger is queued by its
  // id.
  std::size_t many() const {
    const int values = shared_values + row_values * static_cast<int>(rows_at_once);
    const bool fit = sqlite3_limit(db_, SQLITE_LIMIT_VARIABLE_NUMBER, -1) >= values;
    return fit && has_triggers_ ? rows_at_once : 1;
  }

  // Stores one row, or `rows_at_once`.
  void store(std::span<const Row> rows, const EnqueueOptions& options, const std::string& headers,
             std::vector<Enqueued>& results) {
    if (rows.size() > 1 && !insert_many_) {
      insert_many_.emplace(db_, insert_rows(rows.size()), "enqueue", use_);
    }
    Statement& insert = rows.size() > 1 ? *insert_many_ : insert_;
    bind(insert, rows, options, headers);
    std::vector<std::int64_t> ids = run_insert(insert, rows.size() > 1);
    if (ids.size() != rows.size()) throw_ignored();
    std::sort(ids.begin(), ids.end());  // they ascend as the rows do; RETURNING promises no order
    for (std::size_t i = 0; i < rows.size(); ++i) {
      results.push_back(
          {.id = ids[i], .event_id = rows[i].draft->event_id, .destination = *rows[i].destination});
    }
  }

  Enqueued store_unless_there(const Row& row, const EnqueueOptions& options,
                              const std::string& headers) {
    // The write comes first: reading first could not be upgraded beside another writer.
    Statement insert{db_, std::string{insert_into} + insert_unless_there, "enqueue"};
    bind(insert, {&row, 1}, options, headers).bind(9, options.dedupe_key);
    const std::vector<std::int64_t> ids = run_insert(insert, false);
    if (ids.empty()) return stored_before(*row.destination, options.dedupe_key);
    return {.id = ids[0], .event_id = row.draft->event_id, .destination = *row.destination};
  }

  // The ids of the stored rows; none: nothing was stored. An authorizer can make nothing of the
  // statement, which leaves the count of changes as it was.
  std::vector<std::int64_t> run_insert(Statement& insert, bool names_ids) const {
    const int before = sqlite3_total_changes(db_);
    const ResetAtEnd reset{insert};
    std::vector<std::int64_t> ids;
    while (insert.step()) {
      if (names_ids) ids.push_back(insert.integer(0));  // else the host's PRAGMA count_changes
    }
    if (sqlite3_total_changes(db_) == before || sqlite3_changes(db_) == 0) return {};
    if (!names_ids) ids.push_back(sqlite3_last_insert_rowid(db_));
    if (!has_triggers_) queue_events(db_, {ids[0]});  // the one on the log queues an event
    return ids;
  }

  [[noreturn]] static void throw_ignored() {
    throw database_error{
        SQLITE_CONSTRAINT_TRIGGER,
        "outbox: enqueue: nothing was stored: a trigger or an authorizer ignored it"};
  }

  Statement& bind(Statement& insert, std::span<const Row> rows, const EnqueueOptions& options,
                  const std::string& headers) const {
    insert.bind(1, text_or_null(options.ordering_key)).bind(2, due_at_ms(options));
    insert.bind(3, enqueued_at_ms_).bind(4, text_or_null(headers));
    int value = shared_values;
    for (const Row& row : rows) {
      insert.bind(++value, row.draft->event_id);
      insert.bind_terminated(++value, *row.destination);
      insert.bind_terminated(++value, row.draft->payload);
      insert.bind(++value, text_or_null(row.draft->kind));
    }
    return insert;
  }

  Enqueued stored_before(const std::string& destination, const std::string& dedupe_key) const {
    Statement there{db_,
                    "select id, event_id from main.outbox_events"
                    " where destination = ?1 and dedupe_key = ?2",
                    "enqueue"};
    if (!there.bind(1, destination).bind(2, dedupe_key).step()) throw_ignored();
    return {.id = there.integer(0),
            .event_id = there.text(1),
            .is_duplicate = true,
            .destination = destination};
  }

  sqlite3* db_;
  Use use_;
  Statement insert_;
  std::optional<Statement> insert_many_;  // when a call has that many
  std::optional<Brackets> kept_savepoint_;
  RandomBytes random_;
  bool has_triggers_ = true;
  std::int64_t enqueued_at_ms_ = 0;
  Microseconds last_timestamp_ = {};
};

}  // namespace storage

inline namespace v1 {

std::vector<Enqueued> enqueue(ConnectionRef connection, std::span<const Event> events,
                              const EnqueueOptions& options) {
  return storage::Inserter{connection.handle(), storage::Use::once}.enqueue(events, options);
}

Enqueued enqueue(ConnectionRef connection, const Event& event, const EnqueueOptions& options) {
  return enqueue(connection, std::span{&event, 1}, options).front();
}

struct Writer::State {
  storage::Inserter inserter;
};

Writer::Writer(ConnectionRef connection)
    : state_{new State{storage::Inserter{connection.handle(), storage::Use::often}}} {}

Writer::~Writer() = default;

std::vector<Enqueued> Writer::enqueue(std::span<const Event> events,
                                      const EnqueueOptions& options) {
  return state_->inserter.enqueue(events, options);
}

Enqueued Writer::enqueue(const Event& event, const EnqueueOptions& options) {
  return enqueue(std::span{&event, 1}, options).front();
}

}  // namespace v1
}  // namespace outbox

#include "outbox/enqueue.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/clock.hpp"
#include "core/event/enqueue_options.hpp"
#include "core/event/payload.hpp"
#include "core/event/timestamp.hpp"
#include "core/event/uuid.hpp"
#include "outbox/errors.hpp"
#include "storage/life/random_bytes.hpp"
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

// INSERT … SELECT … WHERE NOT EXISTS, because OR IGNORE and ON CONFLICT burn an AUTOINCREMENT id.
// It is a statement of its own: reading the table it writes costs SQLite a temporary table.
constexpr auto insert_row =
    "insert into main.outbox_events (event_id, destination, payload, validated, ordering_key,"
    " dedupe_key, due_at_ms, enqueued_at_ms, kind, headers)"
    " values (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9)";
constexpr auto insert_unless_there =
    "insert into main.outbox_events (event_id, destination, payload, validated, ordering_key,"
    " dedupe_key, due_at_ms, enqueued_at_ms, kind, headers)"
    " select ?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9 where not exists"
    " (select 1 from main.outbox_events where destination = ?2 and dedupe_key = ?5)";

// Looked at after the write and before it is released: a transaction that reads first could not
// become the writer beside another one. Throws: `queue_full`.
void require_room(sqlite3* db, const std::string& destination, std::size_t events_max) {
  const auto cap = static_cast<std::int64_t>(
      std::min<std::size_t>(events_max, std::numeric_limits<std::int64_t>::max() - 1));
  // What is cheap to know first: every event ever, without those that are known to have left.
  const std::int64_t pending_max =
      query_integer(db,
                    "select seq - (select coalesce(sum(delivered + removed), 0)"
                    " from main.outbox_destinations)"
                    " from main.sqlite_sequence where name = 'outbox_events'",
                    "enqueue")
          .value_or(0);
  if (pending_max <= cap) return;
  Statement pending{db,
                    "select count(*) from (select 1 from main.outbox_queue where destination = ?1"
                    " and state < 4 limit ?2 + 1)",
                    "enqueue"};
  pending.bind(1, destination).bind(2, cap).step();
  if (pending.integer(0) > cap) {
    throw queue_full{destination, std::to_string(cap) + " events"};
  }
}

// An event that has passed every check and only needs its row.
struct Draft {
  std::string event_id = {}, payload = {};
  std::string_view kind = {};
};

// What one row of the log is made of.
struct Row {
  const Draft& draft;
  const std::string& destination;
  const std::string& headers;
  const EnqueueOptions& options;
};

// The statements that store events on one connection.
class Inserter {
 public:
  explicit Inserter(sqlite3* db, Use use)
      : db_{db},
        insert_{db, insert_row, "enqueue", use},
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

    int has_triggers = 1;
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &has_triggers);
    has_triggers_ = has_triggers != 0;
    const KeptRowid kept{db_};
    std::vector<Enqueued> results;
    results.reserve(drafts.size() * destinations.size());
    if (drafts.empty()) return results;
    try {
      // For a single event too: a trigger of the host's that raises FAIL would leave its row
      // behind.
      Savepoint savepoint{db_, "enqueue", kept_savepoint_ ? &*kept_savepoint_ : nullptr};
      for (const Draft& draft : drafts) {
        for (const std::string& destination : destinations) {
          results.push_back(store({draft, destination, headers, options}));
        }
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

  Enqueued store(const Row& row) {
    if (row.options.dedupe_key.empty()) {
      if (!run_insert(bind_row(insert_, row))) throw_ignored();
    } else {
      // The write comes first: reading first could not be upgraded beside another writer.
      Statement insert{db_, insert_unless_there, "enqueue"};
      if (!run_insert(bind_row(insert, row))) return stored_before(row);
    }
    const std::int64_t id = sqlite3_last_insert_rowid(db_);
    if (!has_triggers_) queue(id);
    return {.id = id, .event_id = row.draft.event_id, .destination = row.destination};
  }

  // False: nothing was stored. An authorizer can make nothing of the statement, which then leaves
  // the count of changes as it was.
  bool run_insert(Statement& insert) const {
    const int before = sqlite3_total_changes(db_);
    insert.run();
    return sqlite3_total_changes(db_) != before && sqlite3_changes(db_) > 0;
  }

  [[noreturn]] static void throw_ignored() {
    throw database_error{
        SQLITE_CONSTRAINT_TRIGGER,
        "outbox: enqueue: nothing was stored: a trigger or an authorizer ignored it"};
  }

  // A host may have switched triggers off; the one on the log is what queues an event.
  void queue(std::int64_t id) const {
    Statement{db_,
              "insert into main.outbox_queue (destination, due_at_ms, event, ordering_key,"
              " enqueued_at_ms) select destination, due_at_ms, id, ordering_key, enqueued_at_ms"
              " from main.outbox_events where id = ?1",
              "enqueue"}
        .bind(1, id)
        .run();
  }

  Statement& bind_row(Statement& insert, const Row& row) const {
    return insert.bind(1, row.draft.event_id)
        .bind_terminated(2, row.destination)
        .bind_terminated(3, row.draft.payload)
        .bind(4, text_or_null(row.options.ordering_key))
        .bind(5, text_or_null(row.options.dedupe_key))
        .bind(6, due_at_ms(row.options))
        .bind(7, enqueued_at_ms_)
        .bind(8, text_or_null(row.draft.kind))
        .bind(9, text_or_null(row.headers));
  }

  Enqueued stored_before(const Row& row) const {
    Statement there{db_,
                    "select id, event_id from main.outbox_events"
                    " where destination = ?1 and dedupe_key = ?2",
                    "enqueue"};
    if (!there.bind(1, row.destination).bind(2, row.options.dedupe_key).step()) throw_ignored();
    return {.id = there.integer(0),
            .event_id = there.text(1),
            .is_duplicate = true,
            .destination = row.destination};
  }

  sqlite3* db_;
  Statement insert_;
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

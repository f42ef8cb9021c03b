#include "storage/people/change.hpp"

#include <chrono>

#include "storage/life/destination_row.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

using std::chrono::microseconds;

// A writer that met the lock sleeps for longer than the lock is held: SQLite's own busy handler for
// 1, 2, 5, 10 … ms. With the lock free for most of the time it seldom meets it twice.
constexpr int pause_for_each_write = 4;
constexpr std::chrono::milliseconds pause_min{1};

constexpr std::int64_t chunk_bytes_max = 2'000'000;

void pause_for(microseconds wanted) {
  const auto wait = std::max(std::chrono::ceil<std::chrono::milliseconds>(wanted), pause_min);
  sqlite3_sleep(static_cast<int>(wait.count()));
}

}  // namespace

core::Ids distinct(core::Ids ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// In the log and in the queue.
std::size_t chunk_of_pages(sqlite3* db) {
  const std::int64_t page =
      query_integer(db, "pragma main.page_size", "change events").value_or(4'096);
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(chunk_bytes_max / (2 * page), 1, std::int64_t{chunk_events}));
}

BulkChange::BulkChange(sqlite3* db, AuditNote note, Probe probe, Progress progress)
    : db_{db}, note_{std::move(note)}, probe_{probe}, progress_{std::move(progress)} {
  while_busy([db] { require_schema(db); });
}

void BulkChange::run(const std::function<Tally()>& work) {
  const bool is_ours = sqlite3_get_autocommit(db_) != 0;
  std::int64_t changed = 0;
  std::int64_t audit_id = audit_id_;
  microseconds writing{0};
  Tally tally;
  change_atomically(db_, note_.action.c_str(), [&] {
    const auto begin = std::chrono::steady_clock::now();
    tally = work();
    for (const auto& [destination, moved] : tally) {
      changed += moved.events;
      count(destination, moved);
    }
    if (changed > 0 && audit_id == 0) {
      audit_id = write_audit(db_, note_, changed);
    } else if (changed > 0) {
      add_to_audit(db_, audit_id, changed);
    }
    writing = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - begin);
  });
  audit_id_ = audit_id;
  total_ += changed;
  for (const auto& [destination, moved] : tally) probed_.insert(destination);
  if (progress_) progress_(total_);
  if (is_ours) pause_for(writing * pause_for_each_write);
}

// The events are measured before the transaction that changes them: that reads them whole.
std::int64_t BulkChange::run_whole(const core::Ids& ids, Mode mode,
                                   const std::function<Tally(const core::Ids&)>& work) {
  if (mode == Mode::dry_run) return static_cast<std::int64_t>(ids.size());
  Statement size{db_, "select length(cast(payload as blob)) from main.outbox_events where id = ?1",
                 note_.action.c_str()};
  const auto bytes_of = [&size](std::int64_t id) {
    const ResetAtEnd end{size};
    return size.bind(1, id).step() ? size.integer(0) : 0;
  };
  const std::size_t events_max = chunk_of_pages(db_);
  wholly([&] {
    core::Ids chunk;
    std::int64_t bytes = 0;
    for (const std::int64_t id : ids) {
      const std::int64_t more = bytes_of(id);
      if (chunk.size() == events_max || (bytes > 0 && bytes + more > chunk_bytes_max)) {
        run([&] { return work(chunk); });
        chunk.clear();
        bytes = 0;
      }
      chunk.push_back(id);
      bytes += more;
    }
    if (!chunk.empty()) run([&] { return work(chunk); });
  });
  return total_;
}

// Asks for a probe once, with the first events: each would cost an endpoint on hold a request.
void BulkChange::count(const std::string& destination, const Moved& moved) {
  const std::int64_t probes = probe_ == Probe::asked && !probed_.contains(destination) ? 1 : 0;
  if (moved.removed == 0 && moved.were_delivered == 0 && probes == 0) return;
  make_destination(db_, destination, note_.action.c_str());
  Statement{db_,
            "update main.outbox_destinations set removed = removed + ?2,"
            " delivered = delivered - ?3, probes_asked = probes_asked + ?4 where name = ?1",
            note_.action.c_str()}
      .bind(1, std::string_view{destination})
      .bind(2, moved.removed)
      .bind(3, moved.were_delivered)
      .bind(4, probes)
      .run();
}

void BulkChange::wholly(const std::function<void()>& change) {
  if (sqlite3_get_autocommit(db_) != 0) return change();
  Savepoint all{db_, note_.action.c_str()};
  change();
  all.release();
}

void KeysLeft::add(const EventRow& row) {
  if (!row.ordering_key.empty()) keys_.emplace(row.destination, row.ordering_key);
}

void KeysLeft::free_next(sqlite3* db) const {
  if (keys_.empty()) return;
  NextOfKey next{db};
  for (const auto& [destination, key] : keys_) next.free(destination, key);
}

Tally remove_rows(sqlite3* db, const std::vector<EventRow>& rows, const core::Ids& never_queued) {
  constexpr auto action = "remove events";
  Statement from_log{db, "delete from main.outbox_events where id = ?1", action};
  Statement from_queue{db,
                       "delete from main.outbox_queue where destination = ?1 and state = ?2"
                       " and due_at_ms = ?3 and event = ?4",
                       action};
  KeysLeft keys;
  Tally tally;
  for (const EventRow& row : rows) {
    Moved& moved = tally[row.destination];
    from_log.bind(1, row.id).run();
    if (sqlite3_changes(db) == 0 && !read_rows(db, Chosen{{row.id}}).empty()) {
      throw database_error{SQLITE_CONSTRAINT_TRIGGER,
                           "outbox: remove events: a trigger ignored the removal of event " +
                               std::to_string(row.id)};
    }
    ++moved.events;
    ++moved.removed;
    if (!row.queued) {
      const bool was_delivered =
          !std::binary_search(never_queued.begin(), never_queued.end(), row.id);
      moved.were_delivered += was_delivered ? 1 : 0;
      continue;
    }
    bind_row(from_queue, row.destination, *row.queued).run();
    keys.add(row);
  }
  keys.free_next(db);
  return tally;
}

}  // namespace outbox::storage

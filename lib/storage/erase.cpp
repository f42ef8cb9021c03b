#include "storage/erase.hpp"

#include <sqlite3.h>

#include <algorithm>

#include "core/id_ranges.hpp"
#include "core/subject.hpp"
#include "storage/change.hpp"
#include "storage/prune.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "erase";
constexpr std::int64_t looks_max = 2'000;  // rows in one read transaction

struct Found {
  core::Ids delivered = {};
  core::Ids others = {};
  std::int64_t looked_to = 0;
  bool is_through = false;
};

bool concerns(const Statement& row, const Subject& subject) {
  if (core::is_about(row.text(2), subject)) return true;
  if (subject.email.empty()) return false;
  return core::holds_address(row.text(3), subject.email) ||
         core::holds_address(row.text(4), subject.email);
}

// The next rows behind `after`. No index knows who is in a payload.
Found find(sqlite3* db, const Subject& subject, std::int64_t after, Erased& erased) {
  Statement rows{db,
                 "select id, state, payload, ordering_key, dedupe_key, destination"
                 " from main.outbox_events where id > ?1 order by id limit ?2",
                 action};
  rows.bind(1, after).bind(2, looks_max);
  Found found{.looked_to = after};
  std::int64_t looks = 0;
  for (; found.delivered.size() + found.others.size() < chunk_events && rows.step(); ++looks) {
    found.looked_to = rows.integer(0);
    if (!concerns(rows, subject)) continue;
    const bool is_delivered = rows.integer(1) == 1;
    (is_delivered ? found.delivered : found.others).push_back(found.looked_to);
    erased.ids.push_back(found.looked_to);
    if (rows.integer(1) == 0) erased.pending_in.insert(rows.text(5));
  }
  found.is_through =
      looks < looks_max && found.delivered.size() + found.others.size() < chunk_events;
  return found;
}

AuditNote audit_of(const Subject& subject, const ChangeNote& note) {
  const char* const by = !subject.email.empty()     ? "by e-mail"
                         : !subject.user_id.empty() ? "by user"
                                                    : "by group";
  return {.action = action, .subject = by, .note = note};
}

void forget_answer(sqlite3* db, std::int64_t batch) {
  Statement{db,
            "update main.outbox_batches set reason = null, warnings = null, response_id = null"
            " where id = ?1",
            action}
      .bind(1, batch)
      .run();
}

}  // namespace

Erased erase_events(sqlite3* db, const Subject& subject, const ChangeNote& note, Run run) {
  core::require_subject(subject);
  // Since an event may leave the state in which it was found, each kind has its own guard.
  BulkChange delivered{db, audit_of(subject, note)};
  BulkChange others{db, audit_of(subject, note)};
  delivered.also(count_removed_delivered);
  others.also(count_removed);
  others.also("update main.outbox_destinations set nudges = nudges + 1 where name = ?1 and ?2 > 0");
  Erased erased;
  for (std::int64_t after = 0;;) {
    const Found found = find(db, subject, after, erased);
    after = found.looked_to;
    if (run == Run::real) {
      const auto remove = [db](BulkChange& bulk, const core::Ids& ids, const char* guard) {
        return bulk.run([&] { return remove_events(db, ids, guard); });
      };
      if (!found.others.empty()) {
        remove(others, found.others, "state <> 1");
        remove(delivered, found.others, "state = 1");  // delivered just now
      }
      if (!found.delivered.empty()) {
        remove(delivered, found.delivered, "state = 1");
        remove(others, found.delivered, "state <> 1");  // requeued just now
      }
    }
    if (found.is_through) return erased;
  }
}

void forget_answers(sqlite3* db, const Erased& erased) {
  if (erased.ids.empty()) return;
  core::Ids batches;
  {
    Statement rows{db,
                   "select id, ids from main.outbox_batches where first_id <= ?2 and last_id >= ?1"
                   " and coalesce(reason, warnings, response_id) is not null",
                   action};
    rows.bind(1, erased.ids.front()).bind(2, erased.ids.back());
    while (rows.step()) {
      const std::string ids = rows.text(1);
      const bool held_one = std::any_of(erased.ids.begin(), erased.ids.end(), [&](std::int64_t id) {
        return core::ranges_contain(ids, id);
      });
      if (held_one) batches.push_back(rows.integer(0));
    }
  }
  change_atomically(db, action, [&] {
    for (const std::int64_t batch : batches) forget_answer(db, batch);
    execute(db,
            "update main.outbox_destinations set hold_reason = 'the reason was erased'"
            " where hold_reason is not null",
            action);
  });
}

bool truncate_wal(sqlite3* db) {
  const int code =
      sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code == SQLITE_OK) return true;
  if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED) return false;
  throw_error(db, code, action);
}

}  // namespace outbox::storage

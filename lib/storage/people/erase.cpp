#include "storage/people/erase.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>

#include "core/event/id_ranges.hpp"
#include "core/event/subject.hpp"
#include "storage/life/log_gap.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/people/change.hpp"
#include "storage/people/events.hpp"
#include "storage/people/requests.hpp"
#include "storage/people/rewrite.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto erase_action = "erase";
constexpr auto unfinished = "erase (unfinished)";
constexpr auto answers_forgotten = "answers are forgotten";
constexpr std::int64_t rows_at_once = 2'000;  // rows in one read transaction
constexpr std::size_t ids_max = 100'000'000;

// Each chunk in a transaction of its own.
template <class Change>
void change_in_chunks(sqlite3* db, const core::Ids& ids, const Change& change) {
  for_each_chunk(ids, [&](const core::Ids& chunk) {
    change_atomically(db, erase_action, [&] { change(chunk); });
    let_others_in(db);
  });
}

// None: whatever it says.
core::Ids events_with_error_about(sqlite3* db, const Subject* subject) {
  Statement rows{db, "select event, last_error from main.outbox_queue where last_error is not null",
                 erase_action};
  core::Ids found;
  while (rows.step()) {
    const bool is_found = subject == nullptr || core::names_subject(rows.text(1), *subject);
    if (is_found) found.push_back(rows.integer(0));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::string> place_in(const Statement& row, const Subject& subject) {
  const auto named = [](const char* column, const std::optional<std::string>& key) {
    return key->empty() ? std::string{column} : std::string{column} + ": " + *key;
  };
  if (const auto key = core::place_of(row.text(1), subject)) return named("payload", key);
  if (!row.is_null(4)) {
    if (const auto key = core::place_of(row.text(4), subject)) return named("headers", key);
  }
  if (subject.kind() != Subject::Kind::email) return std::nullopt;
  if (core::holds_address(row.text(2), subject.value())) return "ordering key";
  if (core::holds_address(row.text(3), subject.value())) return "dedupe key";
  if (core::holds_address(row.text(5), subject.value())) return "event id";
  if (core::holds_address(row.text(6), subject.value())) return "kind";
  return std::nullopt;
}

std::string by(const Subject& subject) {
  const bool is_user = subject.kind() == Subject::Kind::user;
  return subject.kind() == Subject::Kind::email ? "by e-mail" : is_user ? "by user" : "by group";
}

}  // namespace

// No index knows who is in a payload.
FoundEvents find_events(sqlite3* db, const Subject& subject) {
  core::require_subject(subject);
  while_busy([db] { require_schema(db); });
  Statement rows{db,
                 "select id, payload, ordering_key, dedupe_key, headers, event_id, kind"
                 " from main.outbox_events where id > ?1 order by id limit ?2",
                 erase_action};
  FoundEvents found;
  std::int64_t after = std::numeric_limits<std::int64_t>::min();
  for (std::int64_t looks = rows_at_once; looks == rows_at_once;) {
    const ResetAtEnd end{rows};
    rows.bind(1, after).bind(2, rows_at_once);
    for (looks = 0; rows.step(); ++looks) {
      after = rows.integer(0);
      std::optional<std::string> place = place_in(rows, subject);
      if (!place) continue;
      found.ids.push_back(after);
      found.places.push_back(std::move(*place));
      found.have_keys = found.have_keys || !rows.is_null(2) || !rows.is_null(3);
    }
  }
  return found;
}

Erasure::Erasure(sqlite3* db, const Subject& subject, const ChangeNote& note, FoundEvents found)
    : db_{db},
      subject_{subject},
      note_{note},
      ids_{std::move(found.ids)},
      all_{ids_},
      have_keys_{found.have_keys} {
  std::int64_t own_list = 0;
  if (!ids_.empty()) {
    const AuditNote list{
        .action = unfinished, .subject = core::ranges_text(ids_), .note = {note_.actor, {}}};
    change_atomically(db_, erase_action, [&] { own_list = write_audit(db_, list, 0); });
  }
  Statement lists{db_, "select id, subject, reason from main.outbox_audit where action = ?1",
                  erase_action};
  lists.bind(1, std::string_view{unfinished});
  while (lists.step()) {
    const bool is_other = lists.integer(0) != own_list;
    goes_on_ = goes_on_ || is_other;
    forgets_all_ = forgets_all_ || (is_other && lists.text(2) != answers_forgotten);
    work_list_ = std::max(work_list_, lists.integer(0));
    const core::Ids more = core::ids_in(lists.text(1), ids_max);
    all_.insert(all_.end(), more.begin(), more.end());
  }
  all_ = distinct(std::move(all_));
  have_keys_ = have_keys_ || all_.size() > ids_.size();  // those of others may have had keys
}

std::int64_t Erasure::remove_events() {
  const std::int64_t events = remove(ids_, by(subject_));
  // Of an erasure that was stopped, or that still runs: its list is removed with this one's.
  core::Ids left;
  std::set_difference(all_.begin(), all_.end(), ids_.begin(), ids_.end(), std::back_inserter(left));
  remove(left, "of an erasure that had stopped");
  return events;
}

std::int64_t Erasure::remove(const core::Ids& ids, const std::string& subject) {
  BulkChange bulk{db_,
                  {.action = erase_action, .subject = subject, .note = note_},
                  Probe::none,
                  [this](std::int64_t) { let_others_in(db_); }};
  const core::Ids never_queued = while_busy([&] {
    const ReadTransaction moment{db_};
    return log_gap(db_) == 0 ? core::Ids{} : unqueued(db_).ids;
  });
  return bulk.run_whole(ids, Mode::apply, [&](const core::Ids& chunk) {
    return remove_rows(db_, read_rows(db_, Chosen{chunk}), never_queued);
  });
}

void Erasure::forget_answers(bool are_all_in) {
  // They only explain, and they may name whoever the erasure that had stopped was about.
  const Subject* const subject = forgets_all_ ? nullptr : &subject_;
  const core::Ids requests = while_busy([&] { return requests_about(db_, subject); });
  change_in_chunks(db_, requests, [&](const core::Ids& chunk) {
    Statement forget{db_,
                     "update main.outbox_requests set reason = null, warnings = null,"
                     " response_id = null where id = ?1",
                     erase_action};
    for (const std::int64_t request : chunk) forget.bind(1, request).run();
  });
  const core::Ids named = while_busy([&] { return events_with_error_about(db_, subject); });
  change_in_chunks(db_, named, [&](const core::Ids& chunk) {
    Statement forget{db_,
                     "update main.outbox_queue set last_error = 'the reason was erased'"
                     " where destination = ?1 and state = ?2 and due_at_ms = ?3 and event = ?4",
                     erase_action};
    for (const EventRow& row : read_rows(db_, Chosen{chunk})) {
      if (row.queued) bind_row(forget, row.destination, *row.queued).run();
    }
  });
  change_atomically(db_, erase_action, [&] {
    execute(db_,
            "update main.outbox_destinations set hold_reason = 'the reason was erased'"
            " where hold_reason is not null",
            erase_action);
    if (!are_all_in) return;
    Statement{db_, "update main.outbox_audit set reason = ?3 where action = ?1 and id <= ?2",
              erase_action}
        .bind(1, std::string_view{unfinished})
        .bind(2, work_list_)
        .bind(3, std::string_view{answers_forgotten})
        .run();
  });
}

void Erasure::rewrite_pages() {
  storage::rewrite_pages(db_);
  if (have_keys_) rewrite_indexes(db_);
}

void Erasure::finish() {
  if (work_list_ == 0) return;
  change_atomically(db_, erase_action, [&] {
    Statement{db_, "delete from main.outbox_audit where action = ?1 and id <= ?2", erase_action}
        .bind(1, std::string_view{unfinished})
        .bind(2, work_list_)
        .run();
  });
}

bool truncate_wal(sqlite3* db) {
  // PASSIVE holds nobody up. TRUNCATE keeps the writers out while it waits for readers, so it is
  // for when there is nothing left to wait for, and does not wait.
  int in_wal = 0;
  int moved = 0;
  int code = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &moved);
  if (code == SQLITE_OK && in_wal != moved) return false;
  if (code == SQLITE_OK) {
    const WithoutWaiting hurry{db};
    code = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  }
  if (code == SQLITE_OK) return true;
  if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED) return false;
  throw_error(db, code, erase_action);
}

}  // namespace outbox::storage

#include "storage/change.hpp"

#include <algorithm>
#include <chrono>

#include "core/id_ranges.hpp"
#include "core/limits.hpp"
#include "core/text.hpp"
#include "core/timestamp.hpp"
#include "storage/destinations.hpp"
#include "storage/schema.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

using std::chrono::microseconds;

// A writer that met the lock sleeps for longer than the lock is held: SQLite's own busy handler for
// 1, 2, 5, 10 … ms. With the lock free for most of the time it seldom meets it twice.
constexpr int pause_for_each_write = 4;
constexpr std::chrono::milliseconds pause_min{1};

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

std::string subject_of(const Selection& selection) {
  if (!selection.ids.empty()) {
    return core::sanitised("ids " + core::ranges_text(distinct(selection.ids)),
                           core::error_bytes_max);
  }
  const EventFilter& filter = selection.filter;
  std::string text;
  const auto say = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (!filter.state.empty()) say("state=" + filter.state);
  if (!filter.event_name.empty()) say("event=" + filter.event_name);
  if (!filter.user_id.empty()) say("user");  // never whose
  if (!filter.group_id.empty()) say("group");
  if (!filter.error.empty()) say("error");
  if (filter.since) say("since " + core::utc_text(std::chrono::floor<microseconds>(*filter.since)));
  if (filter.until) say("until " + core::utc_text(std::chrono::floor<microseconds>(*filter.until)));
  if (filter.limit) say("limit " + std::to_string(*filter.limit));
  return core::sanitised(text.empty() ? "all" : text, core::error_bytes_max);
}

std::int64_t write_audit(sqlite3* db, const AuditNote& note, std::int64_t events) {
  const std::string actor = core::sanitised(note.note.actor, core::error_bytes_max);
  const std::string reason = core::sanitised(note.note.reason, core::error_bytes_max);
  Statement{db,
            "insert into main.outbox_audit (at_ms, action, actor, destination, subject, events,"
            " reason) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            "write the audit"}
      .bind(1, core::unix_ms(
                   std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())))
      .bind(2, std::string_view{note.action})
      .bind(3, std::string_view{actor})
      .bind(4, text_or_null(note.destination))
      .bind(5, text_or_null(note.subject))
      .bind(6, events)
      .bind(7, text_or_null(reason))
      .run();
  return sqlite3_last_insert_rowid(db);
}

BulkChange::BulkChange(sqlite3* db, AuditNote note) : db_{db}, note_{std::move(note)} {
  while_busy([db] { require_schema(db); });
}

std::int64_t BulkChange::run(const std::function<Tally()>& work) {
  const bool is_ours = sqlite3_get_autocommit(db_) != 0;
  std::int64_t changed = 0;
  microseconds writing{0};
  Tally tally;
  change_atomically(db_, note_.action.c_str(), [&] {
    const auto begin = std::chrono::steady_clock::now();
    tally = work();
    for (const auto& [destination, count] : tally) {
      changed += count;
      make_destination(db_, destination, note_.action.c_str());
      for (const std::string& sql : also_) {
        Statement{db_, sql.c_str(), note_.action.c_str()}
            .bind(1, std::string_view{destination})
            .bind(2, count)
            .run();
      }
    }
    if (changed > 0) audit(changed);
    writing = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - begin);
  });
  total_ += changed;
  for (const auto& [destination, count] : tally) totals_[destination] += count;
  if (is_ours) pause_for(writing * pause_for_each_write);
  return changed;
}

void BulkChange::end(const char* sql) {
  if (totals_.empty()) return;
  change_atomically(db_, note_.action.c_str(), [&] {
    for (const auto& [destination, count] : totals_) {
      Statement{db_, sql, note_.action.c_str()}
          .bind(1, std::string_view{destination})
          .bind(2, count)
          .run();
    }
  });
}

void BulkChange::audit(std::int64_t events) {
  if (audit_id_ == 0) {
    audit_id_ = write_audit(db_, note_, events);
    return;
  }
  Statement{db_, "update main.outbox_audit set events = events + ?2 where id = ?1",
            "write the audit"}
      .bind(1, audit_id_)
      .bind(2, events)
      .run();
}

}  // namespace outbox::storage

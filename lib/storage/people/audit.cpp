#include "storage/people/audit.hpp"

#include <chrono>

#include "core/clock.hpp"
#include "core/event/id_ranges.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"
#include "storage/people/change.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

std::string utc_text(std::chrono::system_clock::time_point instant) {
  return core::utc_text(std::chrono::floor<std::chrono::microseconds>(instant));
}

// Without personal data: never whose.
std::string subject_of(const Selection& selection) {
  if (!selection.event_ids().empty()) {
    return core::sanitised("ids " + core::ranges_text(distinct(selection.event_ids())),
                           core::error_bytes_max);
  }
  const EventFilter& filter = selection.filter();
  std::string text;
  const auto say = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (filter.state) say(std::string{"state="} + to_string(*filter.state));
  if (!filter.event_name.empty()) say("event=" + filter.event_name);
  if (!filter.user_id.empty()) say("user");
  if (!filter.group_id.empty()) say("group");
  if (!filter.error.empty()) say("error");
  if (filter.since) say("since " + utc_text(*filter.since));
  if (filter.until) say("until " + utc_text(*filter.until));
  if (filter.settled_since) say("settled since " + utc_text(*filter.settled_since));
  if (selection.limit()) say("limit " + std::to_string(*selection.limit()));
  return core::sanitised(text.empty() ? "all" : text, core::error_bytes_max);
}

}  // namespace

AuditNote note_of(const char* action, const Selection& selection, const ChangeNote& note) {
  return {.action = action,
          .destination = selection.filter().destination,
          .subject = subject_of(selection),
          .note = note};
}

std::int64_t write_audit(sqlite3* db, const AuditNote& note, std::int64_t events) {
  const std::string actor = core::sanitised(note.note.actor, core::error_bytes_max);
  const std::string reason = core::sanitised(note.note.reason, core::error_bytes_max);
  Statement{db,
            "insert into main.outbox_audit (at_ms, action, actor, destination, subject, events,"
            " reason) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            "write the audit"}
      .bind(1, core::unix_ms(core::system_now()))
      .bind(2, std::string_view{note.action})
      .bind(3, std::string_view{actor})
      .bind(4, text_or_null(note.destination))
      .bind(5, text_or_null(note.subject))
      .bind(6, events)
      .bind(7, text_or_null(reason))
      .run();
  return sqlite3_last_insert_rowid(db);
}

void add_to_audit(sqlite3* db, std::int64_t id, std::int64_t events) {
  Statement{db, "update main.outbox_audit set events = events + ?2 where id = ?1",
            "write the audit"}
      .bind(1, id)
      .bind(2, events)
      .run();
}

std::vector<AuditEntry> read_audit(sqlite3* db, std::string_view destination, std::size_t limit) {
  Statement rows{db,
                 "select id, at_ms, action, actor, destination, subject, events, reason"
                 " from main.outbox_audit where ?1 is null or destination is null"
                 " or destination = ?1 order by id desc limit ?2",
                 "read the audit"};
  rows.bind(1, text_or_null(destination)).bind(2, static_cast<std::int64_t>(limit));
  std::vector<AuditEntry> entries;
  while (rows.step()) {
    entries.push_back({.id = rows.integer(0),
                       .at = core::instant_of(rows.integer(1)),
                       .action = rows.text(2),
                       .actor = rows.text(3),
                       .destination = rows.text(4),
                       .subject = rows.text(5),
                       .events = rows.integer(6),
                       .reason = rows.text(7)});
  }
  return entries;
}

}  // namespace outbox::storage

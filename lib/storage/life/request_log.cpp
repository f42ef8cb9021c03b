#include "storage/life/request_log.hpp"

#include <utility>

namespace outbox::storage {

namespace {

constexpr auto log_action = "record a round";

}  // namespace

RequestLog::RequestLog(sqlite3* db, std::string destination)
    : db_{db},
      destination_{std::move(destination)},
      add_{db,
           "insert into main.outbox_requests (destination, started_at_ms, took_ms, events,"
           " first_id, last_id, ids, delivered_ids, bytes, status, outcome, reason, response_id,"
           " warnings, parent, search)"
           " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
           log_action, Use::often},
      change_search_{db, "update main.outbox_requests set search = ?2 where id = ?1", log_action,
                     Use::often},
      forget_{db,
              "delete from main.outbox_requests where id in (select id from main.outbox_requests"
              " where delivered_ids is null and search is null"
              " and id <= (select id from main.outbox_requests where delivered_ids is null"
              " order by id desc limit 1 offset ?1) order by id limit ?2)",
              log_action, Use::often} {}

std::int64_t RequestLog::add(const core::SentBatch& sent, const core::Ids& delivered) {
  const std::string ids = core::ranges_text(sent.ids);
  const std::string delivered_ids =
      delivered.size() == sent.ids.size() ? ids : core::ranges_text(delivered);
  const std::string search = sent.begun.text();
  add_.bind(1, destination_)
      .bind(2, core::unix_ms(sent.started))
      .bind(3, sent.outcome.took.count())
      .bind(4, static_cast<std::int64_t>(sent.ids.size()))
      .bind(5, sent.ids.front())
      .bind(6, sent.ids.back())
      .bind(7, ids)
      .bind(8, text_or_null(delivered_ids))
      .bind(9, static_cast<std::int64_t>(sent.bytes))
      .bind(10, sent.outcome.status == 0 ? std::nullopt
                                         : std::optional{std::int64_t{sent.outcome.status}})
      .bind(11, std::string_view{to_string(sent.outcome.verdict)})
      .bind(12, text_or_null(sent.outcome.reason))
      .bind(13, text_or_null(sent.outcome.response_id))
      .bind(14, text_or_null(sent.outcome.warnings))
      .bind(15, sent.search)
      .bind(16, text_or_null(search))
      .run();
  return sqlite3_last_insert_rowid(db_);
}

void RequestLog::change_search(const core::OpenSearch& search) {
  const std::string text = search.search.text();
  change_search_.bind(1, search.request).bind(2, text_or_null(text)).run();
}

void RequestLog::forget_old(const core::Ids& added) {
  // Not each time: the oldest rows are in pages of their own. And not all at once: a requeue makes
  // as many as it has events.
  constexpr std::int64_t forget_each = 100;
  constexpr std::int64_t forgotten_max = 500;
  const bool is_time =
      !added.empty() && added.back() % forget_each < static_cast<std::int64_t>(added.size());
  if (is_time) forget_.bind(1, undelivered_requests_max).bind(2, forgotten_max).run();
}

}  // namespace outbox::storage

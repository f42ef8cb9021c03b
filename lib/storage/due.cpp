// How much there is to take, and when.

#include "storage/store.hpp"

namespace outbox::storage {

std::optional<core::Instant> Store::next_due(core::Instant now) {
  const ResetAtEnd end{next_due_};
  next_due_.bind(1, destination_).bind(2, core::unix_ms(now));
  if (!next_due_.step() || next_due_.is_null(0)) return std::nullopt;
  return core::instant_of(next_due_.integer(0));
}

std::int64_t Store::pending_count(std::int64_t count_max) {
  Statement count{db_,
                  "select count(*) from (select 1 from main.outbox_events"
                  " where destination = ?1 and state = 0 limit ?2)",
                  "count pending events"};
  count.bind(1, destination_).bind(2, count_max).step();
  return count.integer(0);
}

bool Store::has_due(core::Instant now) {
  return count_at(now,
                  "select count(*) from (select 1 from main.outbox_events"
                  " where destination = ?1 and state = 0 and due_at_ms <= ?2 limit 1)") > 0;
}

std::int64_t Store::due_count(core::Instant now) {
  return count_at(now,
                  "select count(*) from main.outbox_events"
                  " where destination = ?1 and state = 0 and due_at_ms <= ?2");
}

std::int64_t Store::suspect_count(core::Instant now) {
  return count_at(now,
                  "select count(*) from main.outbox_events where destination = ?1 and state = 0"
                  " and attempts > 0 and suspect_batch is not null and due_at_ms > ?2");
}

std::int64_t Store::count_at(core::Instant now, const char* sql) {
  Statement count{db_, sql, "count events"};
  count.bind(1, destination_).bind(2, core::unix_ms(now)).step();
  return count.integer(0);
}

}  // namespace outbox::storage

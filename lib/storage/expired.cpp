#include "storage/store.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "look for expired events";

}  // namespace

core::Ids Store::expired(core::Instant due_before, std::size_t events_max, const IdSet& left_out) {
  core::Ids ids;
  // Steps to the first row that is younger, so that the cost is that of what has expired.
  const auto gather = [&](const char* sql) {
    Statement rows{db_, sql, action};
    rows.bind(1, destination_);
    while (ids.size() < events_max && rows.step()) {
      if (core::instant_of(rows.integer(1)) >= due_before) return;
      if (left_out.contains(rows.integer(0))) continue;
      ids.push_back(rows.integer(0));
      remember_key(ids.back(), rows.text(2));
    }
  };
  gather(
      "select id, enqueued_at_ms, ordering_key from main.outbox_events"
      " where destination = ?1 and state = 0 and due_at_ms = 0 order by id");
  gather(
      "select id, due_at_ms, ordering_key from main.outbox_events where destination = ?1"
      " and state = 0 and due_at_ms > 0 and suspect_batch is null order by due_at_ms");
  // A suspect's due time is its next try.
  gather(
      "select id, enqueued_at_ms, ordering_key from main.outbox_events where destination = ?1 and "
      "state = 0"
      " and attempts > 0 and suspect_batch is not null order by id");
  return ids;
}

}  // namespace outbox::storage

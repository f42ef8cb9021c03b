#include "storage/quota.hpp"

#include <limits>

#include "outbox/errors.hpp"
#include "storage/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto action = "enqueue";

std::int64_t limit_of(std::size_t option) {
  constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max() / 2;
  if (option == 0 || option > static_cast<std::size_t>(none)) return none;
  return static_cast<std::int64_t>(option);
}

}  // namespace

void Quota::require_room(const EnqueueOptions& options, const Stored& stored) {
  const bool has_cap = options.pending_events_max != 0 || options.pending_bytes_max != 0;
  if (!has_cap || stored.events == 0) return;
  since_.events += stored.events;
  since_.bytes += stored.bytes;
  const std::int64_t sequence =
      query("select seq from main.sqlite_sequence where name = 'outbox_events'");
  if (has_room_for_certain(options, sequence)) return;
  count(options, sequence);
  if (last_.events > limit_of(options.pending_events_max)) {
    throw queue_full{options.destination, std::to_string(options.pending_events_max) + " events"};
  }
  if (last_.bytes > limit_of(options.pending_bytes_max)) {
    throw queue_full{options.destination, std::to_string(options.pending_bytes_max) + " bytes"};
  }
}

// From what is cheap to know, and never too little.
bool Quota::has_room_for_certain(const EnqueueOptions& options, std::int64_t sequence) const {
  const bool is_known = last_.sequence > 0 && last_.destination == options.destination;
  std::int64_t events = last_.events + (sequence - last_.sequence);
  std::int64_t bytes = last_.bytes + since_.bytes;
  if (!is_known) {
    // Every event ever, without those that are known to have left; and the whole file.
    events = sequence -
             query("select coalesce(sum(delivered + removed), 0) from main.outbox_destinations");
    bytes = query("pragma main.page_count") * query("pragma main.page_size");
  } else if (sequence - last_.sequence != since_.events) {
    bytes = std::numeric_limits<std::int64_t>::max();  // others wrote, who knows how much
  }
  return events <= limit_of(options.pending_events_max) &&
         (options.pending_bytes_max == 0 || bytes <= limit_of(options.pending_bytes_max));
}

void Quota::count(const EnqueueOptions& options, std::int64_t sequence) {
  last_ = {.destination = options.destination,
           .events = count_events(options.destination, limit_of(options.pending_events_max)),
           .sequence = sequence};
  if (options.pending_bytes_max != 0) {
    last_.bytes = count_bytes(options.destination, limit_of(options.pending_bytes_max));
  }
  since_ = {};
}

std::int64_t Quota::count_events(const std::string& destination, std::int64_t count_max) const {
  Statement one_more{db_,
                     "select count(*) from (select 1 from main.outbox_events"
                     " where destination = ?1 and state = 0 limit ?2)",
                     action};
  one_more.bind(1, std::string_view{destination}).bind(2, count_max + 1).step();
  return one_more.integer(0);
}

std::int64_t Quota::count_bytes(const std::string& destination, std::int64_t bytes_max) const {
  Statement rows{db_, "select payload from main.outbox_events where destination = ?1 and state = 0",
                 action};
  rows.bind(1, std::string_view{destination});
  std::int64_t bytes = 0;
  while (bytes <= bytes_max && rows.step()) bytes += static_cast<std::int64_t>(rows.bytes(0));
  return bytes;
}

std::int64_t Quota::query(const char* sql) const {
  return query_integer(db_, sql, action).value_or(0);
}

}  // namespace outbox::storage

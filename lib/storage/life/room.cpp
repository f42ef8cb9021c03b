#include "storage/life/room.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "outbox/errors.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

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

}  // namespace outbox::storage

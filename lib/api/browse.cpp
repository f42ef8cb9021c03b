// The public functions of outbox/browse.hpp.

#include "outbox/browse.hpp"

#include <stdexcept>

#include "api/readable.hpp"
#include "core/clock.hpp"
#include "storage/people/browse.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {
inline namespace v1 {

namespace {

void require_slots(const TrafficOptions& options) {
  constexpr std::int64_t slots_max = 1'000;
  if (options.slot.count() > 0 && options.window.count() > 0 &&
      options.window.count() % options.slot.count() == 0 &&
      options.window.count() / options.slot.count() <= slots_max) {
    return;
  }
  throw std::invalid_argument{"outbox: traffic: window: must be 1 to 1,000 whole slots"};
}

}  // namespace

EventPage browse_events(ConnectionRef connection, const EventFilter& filter,
                        std::chrono::milliseconds patience) {
  sqlite3* const db = readable(connection, filter);
  return storage::while_busy([&] {
    const storage::ReadTransaction moment{db};
    return storage::browse_events(db, filter, patience, core::system_now());
  });
}

Traffic traffic(ConnectionRef connection, const TrafficOptions& options) {
  require_slots(options);
  sqlite3* const db = readable(connection, {.destination = options.destination});
  return storage::while_busy(
      [&] { return storage::read_traffic(db, options, core::system_now()); });
}

}  // namespace v1
}  // namespace outbox

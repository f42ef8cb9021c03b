// The public functions of outbox/inspect.hpp: what the tables hold, and what the lock says of who
// is at work.

#include "outbox/inspect.hpp"

#include "core/explain.hpp"
#include "core/names.hpp"
#include "dispatch/lock.hpp"
#include "storage/counts.hpp"
#include "storage/database.hpp"
#include "storage/events.hpp"
#include "storage/schema.hpp"
#include "storage/transaction.hpp"

namespace outbox {
inline namespace v0 {

namespace {

core::Instant whole_ms(std::chrono::system_clock::time_point now) {
  return std::chrono::floor<std::chrono::milliseconds>(now);
}

// The handle of a connection whose schema has been checked.
sqlite3* readable(ConnectionRef connection, const std::string& destination) {
  if (!destination.empty()) core::require_destination_name(destination);
  storage::while_busy([&] { storage::require_schema(connection.handle()); });
  return connection.handle();
}

}  // namespace

Status status(ConnectionRef connection, const std::string& destination,
              std::chrono::system_clock::time_point now) {
  sqlite3* const db = readable(connection, destination);
  Status status = storage::read_status(db, destination, whole_ms(now));
  const std::string path = storage::path_of(db);
  for (DestinationStatus& found : status.destinations) {
    found.dispatcher = dispatch::serving(path, found.name);
  }
  return status;
}

std::vector<EventSummary> list_events(ConnectionRef connection, const EventFilter& filter,
                                      std::chrono::system_clock::time_point now) {
  sqlite3* const db = readable(connection, filter.destination);
  return storage::while_busy([&] { return storage::read_events(db, filter, whole_ms(now)); });
}

std::optional<EventDetail> find_event(ConnectionRef connection, std::int64_t id,
                                      std::chrono::system_clock::time_point now) {
  sqlite3* const db = readable(connection, {});
  return storage::while_busy([&] { return storage::read_event(db, id, whole_ms(now)); });
}

std::optional<Explanation> explain(ConnectionRef connection, std::int64_t id,
                                   std::chrono::system_clock::time_point now) {
  const auto event = find_event(connection, id, now);
  if (!event) return std::nullopt;
  const Status all = status(connection, event->event.destination, now);
  DestinationStatus lane;
  if (!all.destinations.empty()) lane = all.destinations.front();
  sqlite3* const db = connection.handle();
  return core::explain({.event = *event,
                        .destination = lane,
                        .blocker = storage::blocker_in_key(db, *event),
                        .due_before = storage::due_before(db, event->event, whole_ms(now)),
                        .is_in_search = storage::is_in_search(db, event->event),
                        .now = whole_ms(now)});
}

std::vector<BatchSummary> list_batches(ConnectionRef connection, const std::string& destination,
                                       std::size_t limit) {
  sqlite3* const db = readable(connection, destination);
  return storage::while_busy([&] { return storage::read_batches(db, destination, limit); });
}

}  // namespace v0
}  // namespace outbox

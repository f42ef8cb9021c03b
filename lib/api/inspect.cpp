// The public functions of outbox/inspect.hpp: what the tables hold, and what the lock says of who
// is at work.

#include "outbox/inspect.hpp"

#include <fstream>

#include "core/decide/explain.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"
#include "dispatch/lock.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/people/audit.hpp"
#include "storage/people/diagnosis.hpp"
#include "storage/people/events.hpp"
#include "storage/people/filter.hpp"
#include "storage/people/requests.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {
inline namespace v1 {

namespace {

// 'T' in the third field: stopped by a signal or a debugger (man 5 proc).
bool is_stopped(std::int64_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');  // the name may hold anything
  return name_end != std::string::npos && name_end + 2 < text.size() && text[name_end + 2] == 'T';
}

std::string trouble_of(const ActiveDispatcher& dispatcher, core::Instant now) {
  const std::string pid = std::to_string(dispatcher.pid);
  if (!dispatcher.is_elsewhere && is_stopped(dispatcher.pid)) {
    return "process " + pid + " is stopped (`kill -CONT " + pid + "` lets it go on)";
  }
  const auto silent = std::chrono::floor<std::chrono::seconds>(now - dispatcher.last_round);
  if (silent < dispatch::silent_max) return {};
  return "process " + pid + (dispatcher.is_elsewhere ? " on " + dispatcher.host : "") +
         " has done nothing for " + std::to_string(silent.count()) +
         " s; it waits for the database, or hangs";
}

void put_dispatcher(sqlite3* db, DestinationStatus& destination, core::Instant now) {
  destination.dispatcher = dispatch::active_dispatcher(storage::path_of(db), destination.name);
  if (destination.dispatcher) {
    destination.dispatcher->trouble = trouble_of(*destination.dispatcher, now);
  }
}

}  // namespace

Status status(ConnectionRef connection, const std::string& destination) {
  sqlite3* const db = storage::readable(connection, {.destination = destination});
  const core::Instant now = core::system_now();
  Status status = storage::read_status(db, destination, now);
  for (DestinationStatus& found : status.destinations) put_dispatcher(db, found, now);
  return status;
}

std::vector<DestinationStatus> list_destinations(ConnectionRef connection) {
  sqlite3* const db = storage::readable(connection);
  std::vector<DestinationStatus> found = storage::read_destinations(db);
  const core::Instant now = core::system_now();
  for (DestinationStatus& one : found) put_dispatcher(db, one, now);
  return found;
}

std::string mask_addresses(std::string_view text) {
  return core::masked_addresses(text);
}

std::vector<EventSummary> list_events(ConnectionRef connection, const EventFilter& filter,
                                      const ListOptions& options) {
  sqlite3* const db = storage::readable(connection, filter);
  return storage::while_busy([&] {
    const storage::ReadTransaction moment{db};
    return storage::read_events(db, filter, options, core::system_now());
  });
}

std::vector<EventDetail> list_details(ConnectionRef connection, const EventFilter& filter,
                                      const ListOptions& options) {
  sqlite3* const db = storage::readable(connection, filter);
  return storage::while_busy([&] {
    const storage::ReadTransaction moment{db};
    return storage::read_details(db, filter, options, core::system_now());
  });
}

std::optional<EventDetail> find_event(ConnectionRef connection, std::int64_t id) {
  sqlite3* const db = storage::readable(connection);
  return storage::while_busy([&] {
    const storage::ReadTransaction moment{db};
    return storage::read_event(db, id, core::system_now());
  });
}

std::optional<Explanation> explain(ConnectionRef connection, std::int64_t id) {
  sqlite3* const db = storage::readable(connection);
  return storage::while_busy([&]() -> std::optional<Explanation> {
    const storage::ReadTransaction moment{db};
    const core::Instant now = core::system_now();
    const auto event = storage::read_event(db, id, now);
    if (!event) return std::nullopt;
    DestinationStatus destination;  // without its counts, which would read the whole queue
    for (DestinationStatus& one : list_destinations(connection)) {
      if (one.name == event->event.destination) destination = std::move(one);
    }
    const auto queued = storage::find_queued(db, id);
    return core::explain({.event = *event,
                          .destination = std::move(destination),
                          .blocker = storage::blocker_in_key(db, *event),
                          .due_before = storage::due_before(db, event->event, now),
                          .is_in_search = queued && queued->state == core::QueueState::in_search,
                          .now = now});
  });
}

std::vector<RequestSummary> list_requests(ConnectionRef connection, const std::string& destination,
                                          std::size_t limit) {
  sqlite3* const db = storage::readable(connection, {.destination = destination});
  return storage::while_busy([&] { return storage::read_requests(db, destination, limit); });
}

std::vector<AuditEntry> list_audit(ConnectionRef connection, const std::string& destination,
                                   std::size_t limit) {
  sqlite3* const db = storage::readable(connection, {.destination = destination});
  return storage::while_busy([&] { return storage::read_audit(db, destination, limit); });
}

std::vector<FailureReason> list_failures(ConnectionRef connection, const std::string& destination,
                                         std::size_t limit) {
  sqlite3* const db = storage::readable(connection, {.destination = destination});
  return storage::while_busy([&] { return storage::read_failures(db, destination, limit); });
}

std::vector<Finding> diagnose(ConnectionRef connection) {
  return storage::diagnose(storage::readable(connection));
}

}  // namespace v1
}  // namespace outbox

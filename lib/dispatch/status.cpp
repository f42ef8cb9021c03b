#include "core/names.hpp"
#include "dispatch/lock.hpp"
#include "outbox/inspect.hpp"
#include "storage/counts.hpp"
#include "storage/database.hpp"

namespace outbox {
inline namespace v0 {

Status status(ConnectionRef connection, const std::string& destination,
              std::chrono::system_clock::time_point now) {
  if (!destination.empty()) core::require_destination_name(destination);
  Status status = storage::read_status(connection.handle(), destination,
                                       std::chrono::floor<std::chrono::milliseconds>(now));
  const std::string path = storage::path_of(connection.handle());
  for (DestinationStatus& found : status.destinations) {
    found.dispatcher = dispatch::serving(path, found.name);
  }
  return status;
}

}  // namespace v0
}  // namespace outbox

// The public function of outbox/metrics.hpp.

#include "outbox/metrics.hpp"

#include <filesystem>
#include <set>
#include <stdexcept>

#include "core/metrics/exposition.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/inspect.hpp"
#include "storage/sqlite/database.hpp"

namespace outbox {
inline namespace v1 {

namespace {

std::int64_t bytes_of(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

std::vector<Stats> stats_of(const std::vector<const Dispatcher*>& dispatchers) {
  std::vector<Stats> all;
  std::set<std::string> names;
  for (const Dispatcher* const dispatcher : dispatchers) {
    if (dispatcher == nullptr) throw std::invalid_argument{"outbox: dispatchers: one is null"};
    all.push_back(dispatcher->stats());
    if (!names.insert(all.back().destination).second) {
      throw std::invalid_argument{"outbox: dispatchers: two of " + all.back().destination};
    }
  }
  return all;
}

}  // namespace

std::string prometheus_text(ConnectionRef connection, const PrometheusOptions& options) {
  const std::string path = storage::path_of(connection.handle());
  return core::exposition({.status = status(connection, options.destination),
                           .dispatchers = stats_of(options.dispatchers),
                           .database_bytes = bytes_of(path),
                           .wal_bytes = bytes_of(path + "-wal")});
}

}  // namespace v1
}  // namespace outbox

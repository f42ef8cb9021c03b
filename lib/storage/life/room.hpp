#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <string>

namespace outbox::storage {

/// Looks whether more than `events_max` events of `destination` are pending: after the write and
/// before it is released, since a transaction that reads first could not become the writer beside
/// another one. Throws: `queue_full`; `database_error`.
void require_room(sqlite3* db, const std::string& destination, std::size_t events_max);

}  // namespace outbox::storage

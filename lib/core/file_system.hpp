#pragma once

// File systems on which SQLite's locks and shared memory do not work.

#include <cstdint>

namespace outbox::core {

/// The name of a network file system by its magic number in statfs (Linux, statfs(2)); null: it is
/// none, or not known to be one. WAL does not work over a network (sqlite.org/wal.html).
const char* network_file_system(std::int64_t magic);

}  // namespace outbox::core

#pragma once

// SQLite's own file layer with a hand on the switch: the n-th call fails, once or from then on.
// Nothing is synced, which only a power cut would notice.

#include <cstdint>

namespace simulation {

/// The name to open a database with.
inline constexpr auto fault_vfs = "outbox-faults";

/// Registers the VFS. May be called again. Threads: any.
void register_fault_vfs();

/// What goes wrong on this thread's files.
struct Faults {
  enum class Kind { io_error, full, busy_lock };

  bool is_armed = false;
  Kind kind = Kind::io_error;
  std::int64_t calls_before = 0;  // so many calls of the kind succeed first
  bool is_for_ever = false;       // else it fails once

  /// True when this call is to fail.
  bool strikes(bool concerns) {
    if (!is_armed || !concerns || calls_before-- > 0) return false;
    calls_before = 0;
    is_armed = is_for_ever;
    ++struck;
    return true;
  }
  std::int64_t struck = 0;
};

/// Threads: each has its own.
Faults& faults();

}  // namespace simulation

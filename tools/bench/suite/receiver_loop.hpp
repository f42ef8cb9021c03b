#pragma once

// The serving half of the receiver.

#include <atomic>
#include <cstdint>

namespace bench {

/// Shared by the receiver and who started it.
struct ReceiverCounts {
  std::atomic<std::uint32_t> port{0};  ///< 0: does not listen yet.
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::int64_t> latency_us{0};
};

/// Serves on a free port of loopback until the process ends.
[[noreturn]] void serve(ReceiverCounts& counts);

}  // namespace bench

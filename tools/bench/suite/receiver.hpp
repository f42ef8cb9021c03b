#pragma once

// The other end of a drain: a small HTTP server that answers 200 `{"success":true}` at once, so
// that it is never the limit. A process of its own, so that neither its time nor its memory counts
// as ours.

#include <chrono>
#include <cstdint>
#include <string>

namespace bench {

struct ReceiverCounts;

/// Threads: one.
class Receiver {
 public:
  /// Starts the process. Throws: `std::runtime_error`.
  Receiver();
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// "http://127.0.0.1:PORT/api/track"
  std::string url() const;
  /// How long each answer takes from now on; the requests of several connections overlap.
  void set_latency(std::chrono::microseconds latency);
  std::uint64_t events() const;
  std::uint64_t requests() const;

 private:
  ReceiverCounts* counts_;
  int pid_ = -1;
};

/// Serves until it is killed. The counts are in shared memory that the parent made.
[[noreturn]] void play_receiver();

}  // namespace bench

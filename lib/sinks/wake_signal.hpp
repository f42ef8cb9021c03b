#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace outbox::sinks {

/// What another thread raises, and a poll of `descriptor` sees.
/// Threads: `raise` any; the rest one at a time.
class WakeSignal {
 public:
  WakeSignal() : descriptor_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (descriptor_ < 0) throw std::system_error{errno, std::generic_category(), "outbox: eventfd"};
  }
  ~WakeSignal() { close(descriptor_); }
  WakeSignal(const WakeSignal&) = delete;
  WakeSignal& operator=(const WakeSignal&) = delete;

  void raise() noexcept {
    const std::uint64_t one = 1;
    // It fails only when it was raised 2^64 times and not taken.
    static_cast<void>(!write(descriptor_, &one, sizeof(one)));
  }
  /// Whether it was raised since it was taken last.
  bool take() noexcept {
    std::uint64_t count = 0;
    return read(descriptor_, &count, sizeof(count)) > 0;
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace outbox::sinks

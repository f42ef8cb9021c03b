#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace outbox::storage {

// The kernel's random bytes, fetched for several events at once: asking takes longer than the rest
// of an id. A forked child asks again, since the same bytes would be the same ids.
class RandomBytes {
 public:
  /// Fetches for `events` events when it has none left; 25 at most, as the kernel gives 256 bytes.
  explicit RandomBytes(std::size_t events) : size_{std::min(events, events_max) * each} {}

  std::array<std::uint8_t, 10> next() {
    if (at_ == 0 || pid_ != getpid()) fetch();
    at_ -= each;
    std::array<std::uint8_t, each> bytes{};
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), each, bytes.begin());
    return bytes;
  }

 private:
  static constexpr std::size_t each = 10;
  static constexpr std::size_t events_max = 25;

  void fetch() {
    if (getentropy(bytes_.data(), size_) != 0) {
      throw std::runtime_error{"outbox: the system gives no random bytes"};
    }
    at_ = size_;
    pid_ = getpid();
  }

  std::size_t size_;
  std::array<std::uint8_t, each * events_max> bytes_{};
  std::size_t at_ = 0;  // how many are left
  pid_t pid_ = 0;
};

}  // namespace outbox::storage

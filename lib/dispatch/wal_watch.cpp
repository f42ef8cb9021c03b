#include "dispatch/wal_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace outbox::dispatch {

WalWatch::WalWatch(const std::string& database_path)
    : descriptor_{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
  if (descriptor_ < 0) return;
  const int watch = inotify_add_watch(descriptor_, (database_path + "-wal").c_str(),
                                      IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF);
  is_watching_ = watch >= 0;
}

WalWatch::~WalWatch() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool WalWatch::drain() {
  if (descriptor_ < 0) return false;
  bool has_hint = false;
  alignas(inotify_event) std::array<char, 4096> buffer{};
  for (ssize_t length = read(descriptor_, buffer.data(), buffer.size()); length > 0;
       length = read(descriptor_, buffer.data(), buffer.size())) {
    has_hint = true;
    for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) is_watching_ = false;
      at += sizeof(inotify_event) + event->len;
    }
  }
  return has_hint;
}

}  // namespace outbox::dispatch

#include "sinks/nats_connect_limit.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_again{100};

struct OpenSocket {
  int file = -1;
  ino_t inode = 0;
};

// The number of the socket, if `file` is a TCP connection that libnats has made: it asks each of
// its own to end with RST.
std::optional<ino_t> connection_of_client(int file) {
  struct stat state {};
  linger ending{};
  sockaddr_storage peer{};
  socklen_t ending_length = sizeof(ending);
  socklen_t peer_length = sizeof(peer);
  if (fstat(file, &state) != 0 || !S_ISSOCK(state.st_mode) ||
      getsockopt(file, SOL_SOCKET, SO_LINGER, &ending, &ending_length) != 0 ||
      getpeername(file, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    return {};
  }
  const bool is_tcp = peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
  if (!is_tcp || ending.l_onoff == 0 || ending.l_linger != 0) return {};
  return state.st_ino;
}

std::vector<OpenSocket> connections_of_client() {
  std::vector<OpenSocket> found;
  std::error_code none;
  for (auto entry = std::filesystem::directory_iterator{"/dev/fd", none};
       entry != std::filesystem::directory_iterator{}; entry.increment(none)) {
    const std::string name = entry->path().filename();
    int file = -1;
    std::from_chars(name.data(), name.data() + name.size(), file);
    if (const auto inode = connection_of_client(file)) found.push_back({file, *inode});
  }
  return found;
}

}  // namespace

NatsConnectLimit::NatsConnectLimit(milliseconds limit) noexcept {
  try {
    for (const OpenSocket& open : connections_of_client()) known_.insert(open.inode);
    thread_ = std::thread{[this, limit] { watch(limit); }};
  } catch (const std::exception&) {  // no thread, no memory: without a limit
  }
}

NatsConnectLimit::~NatsConnectLimit() {
  {
    const std::lock_guard lock{mutex_};
    is_over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool NatsConnectLimit::has_acted() const {
  const std::lock_guard lock{mutex_};
  return has_acted_;
}

void NatsConnectLimit::watch(milliseconds limit) {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, limit, [this] { return is_over_; })) {
    try {
      if (shut_down_the_new_one()) has_acted_ = true;
    } catch (const std::exception&) {  // no memory: at the next look
    }
    limit = look_again;
  }
}

// The duplicate still is the same connection when its number has been given away meanwhile.
bool NatsConnectLimit::shut_down_the_new_one() {
  std::vector<OpenSocket> fresh = connections_of_client();
  std::erase_if(fresh, [this](const OpenSocket& open) { return known_.contains(open.inode); });
  if (fresh.size() != 1) return false;
  const int same = fcntl(fresh.front().file, F_DUPFD_CLOEXEC, 0);
  const bool is_same = connection_of_client(same) == fresh.front().inode;
  if (is_same) shutdown(same, SHUT_RDWR);
  close(same);
  return is_same;
}

}  // namespace outbox::sinks

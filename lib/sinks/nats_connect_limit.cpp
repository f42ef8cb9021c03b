#include "sinks/nats_connect_limit.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_again{100};

// "127.0.0.1 4222"
std::string text_of(const sockaddr* address, socklen_t length) {
  char host[NI_MAXHOST] = {};
  char port[NI_MAXSERV] = {};
  const int numbers = NI_NUMERICHOST | NI_NUMERICSERV;
  if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port), numbers) != 0) return {};
  return std::string{host} + " " + port;
}

// Looked up here, so that it is no part of the time that is limited: where there is no connection
// yet, another one must not be taken for it. A name that has none is the client's to report.
std::vector<std::string> addresses_of(const NatsServer& server) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(server.host.c_str(), server.port.c_str(), &wanted, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned{found, &freeaddrinfo};
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    addresses.push_back(text_of(one->ai_addr, one->ai_addrlen));
  }
  return addresses;
}

struct Connection {
  int file = -1;
  ino_t inode = 0;  // the socket's own, whatever number its file has
  std::string peer = {};
};

bool is_socket(int file) {
  struct stat state {};
  return fstat(file, &state) == 0 && S_ISSOCK(state.st_mode);
}

// If `file` is a connection that libnats has made: it asks each of its own to end with RST.
std::optional<Connection> connection_of_client(int file) {
  struct stat state {};
  linger ending{};
  sockaddr_storage peer{};
  socklen_t ending_length = sizeof(ending);
  socklen_t peer_length = sizeof(peer);
  auto* const raw = reinterpret_cast<sockaddr*>(&peer);
  if (!is_socket(file) || fstat(file, &state) != 0 ||
      getsockopt(file, SOL_SOCKET, SO_LINGER, &ending, &ending_length) != 0 ||
      getpeername(file, raw, &peer_length) != 0) {
    return {};
  }
  if (ending.l_onoff == 0 || ending.l_linger != 0) return {};
  return Connection{file, state.st_ino, text_of(raw, peer_length)};
}

std::vector<Connection> connections_of_client() {
  std::vector<Connection> found;
  std::error_code none;
  for (auto entry = std::filesystem::directory_iterator{"/dev/fd", none};
       entry != std::filesystem::directory_iterator{}; entry.increment(none)) {
    const std::string name = entry->path().filename();
    int file = -1;
    std::from_chars(name.data(), name.data() + name.size(), file);
    if (auto connection = connection_of_client(file)) found.push_back(std::move(*connection));
  }
  return found;
}

}  // namespace

NatsConnectLimit::NatsConnectLimit(const NatsServer& server, milliseconds limit) noexcept {
  try {
    addresses_ = addresses_of(server);
    for (const Connection& connection : connections_of_client()) known_.insert(connection.inode);
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

bool NatsConnectLimit::shut_down_the_new_one() {
  std::vector<Connection> fresh = connections_of_client();
  std::erase_if(fresh, [this](const Connection& connection) {
    const bool is_to_server =
        std::find(addresses_.begin(), addresses_.end(), connection.peer) != addresses_.end();
    return !is_to_server || known_.contains(connection.inode);
  });
  if (fresh.size() != 1) return false;
  // A duplicate stays the same connection, whatever becomes of the number.
  const int same = fcntl(fresh.front().file, F_DUPFD_CLOEXEC, 0);
  // Another file has the number by now. To close a duplicate of it would take away this process's
  // POSIX locks on it, SQLite's perhaps, so it stays.
  if (same < 0 || !is_socket(same)) return false;
  const auto found = connection_of_client(same);
  const bool is_it = found && found->inode == fresh.front().inode;
  if (is_it) shutdown(same, SHUT_RDWR);
  close(same);
  return is_it;
}

}  // namespace outbox::sinks

#include "sinks/nats_connect_limit.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_again{100};
// Not for ever: the child of a fork may find the lock taken by nobody.
constexpr std::chrono::seconds others_connect_max{30};

// Not by a timed mutex: the thread sanitizer does not know its calls (GCC 12).
std::unique_lock<std::mutex> locked(std::mutex& mutex) {
  const auto until = std::chrono::steady_clock::now() + others_connect_max;
  std::unique_lock lock{mutex, std::try_to_lock};
  while (!lock && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds{10});
    lock.try_lock();
  }
  return lock;
}

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

// "socket:[4711]": the socket itself, whatever number its file has (Linux).
std::string target_of(int file) {
  std::error_code none;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), none);
}

bool is_socket(const std::string& target) {
  return target.rfind("socket:", 0) == 0;
}

// It asks each of its connections to end with RST.
bool is_of_client(int file) {
  linger ending{};
  socklen_t length = sizeof(ending);
  return getsockopt(file, SOL_SOCKET, SO_LINGER, &ending, &length) == 0 && ending.l_onoff != 0 &&
         ending.l_linger == 0;
}

std::string peer_of(int file) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  auto* const raw = reinterpret_cast<sockaddr*>(&peer);
  return getpeername(file, raw, &length) == 0 ? text_of(raw, length) : "";
}

// Of this process, by number.
std::map<int, std::string> open_sockets() {
  std::map<int, std::string> found;
  std::error_code none;
  for (auto entry = std::filesystem::directory_iterator{"/proc/self/fd", none};
       entry != std::filesystem::directory_iterator{}; entry.increment(none)) {
    const std::string name = entry->path().filename();
    int file = -1;
    std::from_chars(name.data(), name.data() + name.size(), file);
    std::string target = target_of(file);
    if (is_socket(target)) found.emplace(file, std::move(target));
  }
  return found;
}

}  // namespace

NatsConnectLimit::NatsConnectLimit(const NatsServer& server, milliseconds limit) noexcept {
  static std::mutex connecting;
  try {
    alone_ = locked(connecting);
    addresses_ = addresses_of(server);
    for (const auto& [file, socket] : open_sockets()) known_.insert(socket);
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
  std::map<int, std::string> fresh = open_sockets();
  std::erase_if(fresh, [this](const auto& open) {
    const auto& [file, socket] = open;
    const bool is_to_server =
        std::find(addresses_.begin(), addresses_.end(), peer_of(file)) != addresses_.end();
    return known_.contains(socket) || !is_to_server || !is_of_client(file);
  });
  if (fresh.size() != 1) return false;
  // A duplicate stays the same socket, whatever becomes of the number.
  const int same = fcntl(fresh.begin()->first, F_DUPFD_CLOEXEC, 0);
  const std::string target = target_of(same);
  // Another file has the number by now. To close a duplicate of it would take away this process's
  // POSIX locks on it, SQLite's perhaps, so it stays.
  if (same < 0 || !is_socket(target)) return false;
  const bool is_it = target == fresh.begin()->second;
  if (is_it) shutdown(same, SHUT_RDWR);
  close(same);
  return is_it;
}

}  // namespace outbox::sinks

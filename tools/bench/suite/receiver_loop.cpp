#include "suite/receiver_loop.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    "{\"success\":true}";
constexpr std::size_t request_bytes_max = 4'000'000;  // twice what the Track API takes
constexpr int connections_max = 128;

std::optional<std::size_t> content_length(std::string_view head) {
  constexpr std::string_view name = "\r\ncontent-length:";
  for (std::size_t at = 0; at + name.size() < head.size(); ++at) {
    if (strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
    return std::strtoull(head.data() + at + name.size(), nullptr, 10);
  }
  return std::nullopt;
}

// Each event names itself once, in a payload that this benchmark has made.
std::uint64_t events_in(std::string_view body) {
  constexpr std::string_view name = "\"event_name\":";
  std::uint64_t count = 0;
  const char* at = body.data();
  const char* const end = at + body.size();
  while (const void* const found =
             memmem(at, static_cast<std::size_t>(end - at), name.data(), name.size())) {
    at = static_cast<const char*>(found) + name.size();
    ++count;
  }
  return count;
}

class Server {
 public:
  explicit Server(ReceiverCounts& counts)
      : counts_{counts}, listener_{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || events_ < 0 || bind(listener_, plain, length) != 0 ||
        listen(listener_, connections_max) != 0 || getsockname(listener_, plain, &length) != 0) {
      throw std::runtime_error{"the receiver cannot listen"};
    }
    watch(listener_);
    counts_.port.store(ntohs(address.sin_port));
  }

  [[noreturn]] void run() {
    std::array<epoll_event, connections_max> ready{};
    for (;;) {
      const std::optional<timespec> wait = until_next_answer();
      const int count =
          epoll_pwait2(events_, ready.data(), connections_max, wait ? &*wait : nullptr, nullptr);
      for (int i = 0; i < count; ++i) {
        const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
        if (descriptor == listener_) {
          accept_one();
        } else {
          read_from(descriptor);
        }
      }
      answer_due();
    }
  }

 private:
  struct Waiting {
    Clock::time_point due;
    int descriptor;
    std::uint64_t connection;
  };
  struct Connection {
    std::uint64_t number = 0;  // descriptors are used again
    std::string received = {};
    std::size_t request_bytes = 0;  // 0: the head is not here yet
    std::size_t head_bytes = 0;
  };

  void watch(int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    epoll_ctl(events_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void accept_one() {
    const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connections_[descriptor] = {.number = ++last_number_};
    watch(descriptor);
  }

  void read_from(int descriptor) {
    Connection& connection = connections_[descriptor];
    const ssize_t count = recv(descriptor, chunk_.data(), chunk_.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0 || connection.received.size() > request_bytes_max) {
      connections_.erase(descriptor);
      close(descriptor);
      return;
    }
    connection.received.append(chunk_.data(), static_cast<std::size_t>(count));
    while (take_request(descriptor, connection)) {
    }
  }

  bool take_request(int descriptor, Connection& connection) {
    std::string& received = connection.received;
    if (connection.request_bytes == 0) {
      const std::size_t end = received.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      connection.head_bytes = end + 4;
      const auto length = content_length(std::string_view{received}.substr(0, end + 2));
      connection.request_bytes = connection.head_bytes + length.value_or(0);
    }
    if (received.size() < connection.request_bytes) return false;
    counts_.events += events_in(std::string_view{received}.substr(
        connection.head_bytes, connection.request_bytes - connection.head_bytes));
    ++counts_.requests;
    received.erase(0, connection.request_bytes);
    connection.request_bytes = 0;
    // In order, since all wait for the same time.
    waiting_.push_back(
        {Clock::now() + microseconds{counts_.latency_us.load()}, descriptor, connection.number});
    return true;
  }

  std::optional<timespec> until_next_answer() const {
    if (waiting_.empty()) return std::nullopt;
    const auto left = std::max(waiting_.front().due - Clock::now(), Clock::duration{0});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    return timespec{.tv_sec = seconds.count(),
                    .tv_nsec = std::chrono::nanoseconds{left - seconds}.count()};
  }

  void answer_due() {
    const auto now = Clock::now();
    while (!waiting_.empty() && waiting_.front().due <= now) {
      const Waiting next = waiting_.front();
      waiting_.pop_front();
      const auto found = connections_.find(next.descriptor);
      if (found == connections_.end() || found->second.number != next.connection) continue;
      // Too short to fill the socket's buffer; a broken connection shows at the next read.
      [[maybe_unused]] const ssize_t sent =
          send(next.descriptor, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  ReceiverCounts& counts_;
  int listener_;
  int events_ = epoll_create1(EPOLL_CLOEXEC);
  std::map<int, Connection> connections_;
  std::deque<Waiting> waiting_;
  std::uint64_t last_number_ = 0;
  std::vector<char> chunk_ = std::vector<char>(std::size_t{256} * 1024);
};

}  // namespace

void serve(ReceiverCounts& counts) {
  Server{counts}.run();
}

}  // namespace bench

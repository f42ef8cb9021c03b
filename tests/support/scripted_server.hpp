#pragma once

// An endpoint that does exactly what it is told with each byte: a TCP server on loopback.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// One accepted connection.
class Peer {
 public:
  explicit Peer(int file) : file_{file} {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (file_ >= 0) close(file_);
  }

  /// Reads up to `count` bytes; what it got, less at the end of the stream or after ten seconds.
  std::string read_bytes(std::size_t count) {
    std::string text;
    while (text.size() < count && is_readable()) {
      char part[4096];
      const auto got = recv(file_, part, std::min(sizeof(part), count - text.size()), 0);
      if (got <= 0) break;
      text.append(part, static_cast<std::size_t>(got));
    }
    return text;
  }
  /// A whole request with its body, as Content-Length says.
  std::string read_request() {
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos) {
      const std::string byte = read_bytes(1);
      if (byte.empty()) return text;
      text += byte;
    }
    const std::size_t at = text.find("Content-Length: ");
    if (at == std::string::npos) return text;
    return text + read_bytes(std::stoul(text.substr(at + 16)));
  }
  /// False: the other side has gone.
  bool write(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const auto sent = send(file_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += static_cast<std::size_t>(sent);
    }
    return true;
  }
  /// Ends with RST rather than FIN.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(file_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(file_);
    file_ = -1;
  }

 private:
  bool is_readable() const {
    pollfd look{.fd = file_, .events = POLLIN, .revents = 0};
    return poll(&look, 1, 10'000) > 0;
  }

  int file_;
};

/// Serves one connection after the other with `script`, which is given the number of the
/// connection; or all side by side.
class ScriptedServer {
 public:
  enum class Serves { in_turn, side_by_side };

  explicit ScriptedServer(std::function<void(Peer&, int)> script, Serves serves = Serves::in_turn)
      : script_{std::move(script)}, serves_{serves} {
    file_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int small = 4'096;  // what is not read stays with the sender
    setsockopt(file_, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    if (bind(file_, raw, length) != 0 || listen(file_, 16) != 0 ||
        getsockname(file_, raw, &length) != 0) {
      throw std::runtime_error{"no port"};
    }
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread{[this] { serve(); }};
  }
  ~ScriptedServer() {
    is_ended_ = true;
    shutdown(file_, SHUT_RDWR);
    thread_.join();
    close(file_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  const std::string& url() const { return url_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    while (!is_ended_) {
      const int accepted = accept4(file_, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      const int number = ++connections_;
      const auto serve_one = [this, accepted, number] {
        Peer peer{accepted};
        script_(peer, number);
      };
      if (serves_ == Serves::in_turn) serve_one();
      if (serves_ == Serves::side_by_side) peers_.emplace_back(serve_one);
    }
    for (std::thread& peer : peers_) peer.join();
  }

  std::function<void(Peer&, int)> script_;
  Serves serves_;
  std::vector<std::thread> peers_ = {};
  int file_ = -1;
  std::string url_;
  std::atomic<bool> is_ended_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace support

#include "sinks/sockets.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <new>

namespace outbox::sinks {

namespace {

long local_port_of(curl_socket_t socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return -1;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return -1;
}

bool holds_unsent(curl_socket_t socket) {
  pollfd look{.fd = socket, .events = 0, .revents = 0};
  if (poll(&look, 1, 0) > 0) return true;  // reset: what was still to be sent is thrown away
  int bytes = 0;  // tcp(7); an answer acknowledges what was received before it
  return ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

}  // namespace

void Sockets::watch(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Sockets::open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Sockets::close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, static_cast<void*>(this));
}

bool Sockets::may_hold_unsent(long local_port) const {
  bool is_known = false;
  for (const curl_socket_t socket : sockets_) {
    if (local_port_of(socket) != local_port) continue;
    if (holds_unsent(socket)) return true;
    is_known = true;
  }
  return !is_known;
}

bool Sockets::have_unasked_bytes(const std::vector<long>& ports_in_use) const {
  return std::any_of(sockets_.begin(), sockets_.end(), [&](curl_socket_t socket) {
    char byte = 0;
    if (recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) return false;
    return std::find(ports_in_use.begin(), ports_in_use.end(), local_port_of(socket)) ==
           ports_in_use.end();
  });
}

curl_socket_t Sockets::open(void* self, curlsocktype, curl_sockaddr* address) {
  auto& sockets = static_cast<Sockets*>(self)->sockets_;
  try {
    sockets.reserve(sockets.size() + 1);
  } catch (const std::bad_alloc&) {
    return CURL_SOCKET_BAD;  // libcurl's "could not connect"
  }
  const int type = address->socktype | SOCK_CLOEXEC;  // a child must not hold a connection open
  const curl_socket_t socket = ::socket(address->family, type, address->protocol);
  if (socket != CURL_SOCKET_BAD) sockets.push_back(socket);
  return socket;
}

int Sockets::close(void* self, curl_socket_t socket) {
  auto& sockets = static_cast<Sockets*>(self)->sockets_;
  sockets.erase(std::remove(sockets.begin(), sockets.end(), socket), sockets.end());
  return ::close(socket);
}

}  // namespace outbox::sinks

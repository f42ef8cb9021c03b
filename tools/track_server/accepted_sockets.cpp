#include "accepted_sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace track_server {

namespace {

int port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return -1;
}

// getsockname or getpeername; -1: no connected internet socket, or no socket at all.
template <class Name>
int port_by(Name name, int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (name(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  return port_of(address);
}

std::vector<int> open_descriptors() {
  std::vector<int> descriptors;
  std::error_code
      ignored;  // without /proc nothing can be shut down early; stopping then takes longer
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", ignored}) {
    const std::string name = entry.path().filename().string();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    descriptors.push_back(descriptor);
  }
  return descriptors;
}

// httplib gives a handler no access to its socket, and cpp-httplib 0.11 has no way to end idle
// connections, so the sockets are looked up among the process's descriptors. The client may live in
// the same process: its end of the connection has the two ports the other way round and stays as it
// is, and so does the listening socket, which has no remote port.
template <class Matches>
void shut_down(int local_port, Matches remote_port_matches) {
  for (const int descriptor : open_descriptors()) {
    if (port_by(::getsockname, descriptor) != local_port) continue;
    const int remote_port = port_by(::getpeername, descriptor);
    if (remote_port > 0 && remote_port_matches(remote_port)) ::shutdown(descriptor, SHUT_RDWR);
  }
}

}  // namespace

void shut_down_accepted(int local_port, int remote_port) {
  shut_down(local_port, [remote_port](int port) { return port == remote_port; });
}

void shut_down_all_accepted(int local_port) {
  shut_down(local_port, [](int) { return true; });
}

}  // namespace track_server

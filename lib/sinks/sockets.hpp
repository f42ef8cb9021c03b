#pragma once

// The sockets of a sink's connections. libcurl 7.88 names the socket of a transfer only once it has
// ended (CURLINFO_ACTIVESOCKET), and what a "yes" is worth must be known while it runs.

#include <curl/curl.h>

#include <vector>

namespace outbox::sinks {

/// Lifetime: must outlive every connection, so every easy and multi handle that it was given to.
/// One thread at a time, as the handles themselves.
class Sockets {
 public:
  Sockets() = default;
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  /// The connections that `easy` opens are in this set from now on.
  void watch(CURL* easy);

  /// The connection from `local_port` still holds bytes in this machine, was reset, or is not
  /// known: the other side cannot be seen to have read everything.
  bool may_hold_unsent(long local_port) const;

  /// Something that was not asked for has arrived, or an end, on a connection that is not from one
  /// of `ports_in_use`. Only for plain HTTP: in TLS, bytes of its own may wait.
  bool have_unasked_bytes(const std::vector<long>& ports_in_use) const;

 private:
  static curl_socket_t open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close(void* self, curl_socket_t socket);

  std::vector<curl_socket_t> sockets_;
};

}  // namespace outbox::sinks

#pragma once

// What the addresses of all sinks have in common. Header only, since relays are libraries of their
// own, and the main one exports none of its own functions.

#include <cstddef>
#include <stdexcept>
#include <string>

namespace outbox::sinks {

/// Throws: `std::invalid_argument` with `what`.
[[noreturn]] inline void refuse(const std::string& what) {
  std::string text = "outbox: ";
  text += what;
  throw std::invalid_argument{text};
}

inline void require(bool is_met, const char* what) {
  if (!is_met) refuse(what);
}

/// Whether `host` is this machine by its name or number, and not by what a name server says.
inline bool is_loopback(const std::string& host) {
  const bool is_ipv4 =
      host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == std::string::npos;
  return is_ipv4 || host == "::1" || host == "[::1]" || host == "localhost";
}

/// "host", "host:4222", "[::1]:4222" → the host alone. Empty: it is no address.
inline std::string host_of(const std::string& address) {
  const bool is_ipv6 = !address.empty() && address.front() == '[';
  const std::size_t end = is_ipv6 ? address.find(']') : address.find(':');
  if (is_ipv6 && end == std::string::npos) return {};
  const std::string host = is_ipv6 ? address.substr(1, end - 1) : address.substr(0, end);
  const std::size_t colon = is_ipv6 ? end + 1 : end;
  if (colon >= address.size()) return host;
  const std::string port = address.substr(colon + 1);
  const bool is_port = address[colon] == ':' && !port.empty() && port.size() <= 5 &&
                       port.find_first_not_of("0123456789") == std::string::npos;
  return is_port ? host : std::string{};
}

}  // namespace outbox::sinks

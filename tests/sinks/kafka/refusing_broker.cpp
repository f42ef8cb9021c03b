#include "sinks/kafka/refusing_broker.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace kafka_test {

namespace {

// kafka.apache.org/protocol: numbers are big-endian; a request is its size, api, version,
// correlation id, client id, and what is asked.
constexpr std::size_t header_bytes = 8;
constexpr int sasl_handshake = 17, api_versions = 18, sasl_authenticate = 36;
constexpr int unsupported_version = 35, authentication_failed = 58;

int number_at(const std::string& text, std::size_t at, std::size_t bytes) {
  int number = 0;
  for (std::size_t i = at; i < at + bytes; ++i) {
    number = number << 8 | static_cast<unsigned char>(text.at(i));
  }
  return number;
}

void add(std::string& text, int number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(number >> shift & 0xFF);
  }
}

void add(std::string& text, std::string_view word) {
  add(text, static_cast<int>(word.size()), 2);
  text += word;
}

std::string read_bytes(int connection, std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t got = 0; got < count;) {
    const ssize_t now = recv(connection, bytes.data() + got, count - got, 0);
    if (now <= 0) return {};
    got += static_cast<std::size_t>(now);
  }
  return bytes;
}

}  // namespace

RefusingBroker::RefusingBroker() : listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, plain, bytes) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, plain, &bytes) != 0) {
    throw std::runtime_error{"no listener"};
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread{[this](const std::stop_token& stop) { serve(stop); }};
}

RefusingBroker::~RefusingBroker() {
  thread_.request_stop();
  thread_.join();
  close(listener_);
}

std::vector<std::string> RefusingBroker::tried() const {
  const std::lock_guard guard{mutex_};
  return tried_;
}

void RefusingBroker::serve(const std::stop_token& stop) {
  std::vector<pollfd> polled = {{.fd = listener_, .events = POLLIN, .revents = 0}};
  while (!stop.stop_requested()) {
    if (poll(polled.data(), polled.size(), 20) <= 0) continue;
    for (std::size_t i = polled.size(); i-- > 1;) {
      if (polled[i].revents == 0 || answer(polled[i].fd)) continue;
      close(polled[i].fd);
      polled.erase(polled.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (polled[0].revents == 0) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) polled.push_back({.fd = connection, .events = POLLIN, .revents = 0});
  }
  for (std::size_t i = 1; i < polled.size(); ++i) close(polled[i].fd);
}

// False: the connection is over.
bool RefusingBroker::answer(int connection) {
  const std::string size = read_bytes(connection, 4);
  if (size.empty()) return false;
  const std::string request =
      read_bytes(connection, static_cast<std::size_t>(number_at(size, 0, 4)));
  if (request.size() < header_bytes) return false;
  const std::string body = answer_to(request);
  if (body.empty()) return false;
  std::string sent;
  add(sent, static_cast<int>(body.size()) + 4, 4);
  sent += request.substr(4, 4);  // the correlation id
  sent += body;
  return send(connection, sent.data(), sent.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sent.size());
}

std::string RefusingBroker::answer_to(const std::string& request) {
  std::string body;
  switch (number_at(request, 0, 2)) {
    case api_versions:
      add(body, number_at(request, 2, 2) == 0 ? 0 : unsupported_version, 2);
      add(body, 3, 4);
      for (const int api : {sasl_handshake, api_versions, sasl_authenticate}) {
        add(body, api, 2);
        add(body, 0, 2);
        add(body, api == sasl_handshake ? 1 : 0, 2);
      }
      return body;
    case sasl_handshake:
      add(body, 0, 2);
      add(body, 1, 4);
      add(body, "PLAIN");
      return body;
    case sasl_authenticate:
      note(request);
      add(body, authentication_failed, 2);
      add(body, "amy is not known here");
      add(body, 0, 4);
      return body;
    default:
      return {};
  }
}

// PLAIN: nothing, user and password, with a zero between them (RFC 4616).
void RefusingBroker::note(const std::string& request) {
  const std::string password = request.substr(request.rfind('\0') + 1);
  const std::lock_guard guard{mutex_};
  if (tried_.empty() || tried_.back() != password) tried_.push_back(password);
}

}  // namespace kafka_test

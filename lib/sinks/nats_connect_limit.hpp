#pragma once

// libnats from before 2024 does not keep to its own time limit while it connects: where a server
// greets and then says nothing, natsConnection_Connect never returns, keeps a processor busy, and
// takes more and more memory (https://github.com/nats-io/nats.c/issues/706; Debian 12 has 3.4.1).
// It does return once the connection is shut down.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "sinks/nats_options.hpp"

namespace outbox::sinks {

/// While it lives: when `limit` has passed, the connection that the client library has opened to
/// the server since is shut down. Where it cannot be told which one that is, since the host has
/// just connected to the same server by the same library, none is touched until one of them is
/// gone. One at a time in a process, so that no other connection of ours is as new: to make one
/// waits for the end of another. Threads: makes one of its own, which inherits the caller's signal
/// mask. If it cannot be made, there is no limit.
class NatsConnectLimit {
 public:
  NatsConnectLimit(const NatsServer& server, std::chrono::milliseconds limit) noexcept;
  ~NatsConnectLimit();
  NatsConnectLimit(const NatsConnectLimit&) = delete;
  NatsConnectLimit& operator=(const NatsConnectLimit&) = delete;

  /// A connection was shut down.
  bool has_acted() const;

 private:
  void watch(std::chrono::milliseconds limit);
  bool shut_down_the_new_one();

  std::unique_lock<std::mutex> alone_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  bool has_acted_ = false;
  std::vector<std::string> addresses_;  // of the server, as the system has them
  std::set<std::string> known_;         // sockets that were there before
  std::thread thread_;
};

}  // namespace outbox::sinks

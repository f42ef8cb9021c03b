#pragma once

// SIGPIPE in a process that is not ours: a server made by a test must not change it.

#include <pthread.h>

#include <csignal>

namespace track_server {

/// Puts the process's handling of SIGPIPE back: httplib::Server ignores it for everyone, which
/// would hide a fault of the code under test.
class BrokenPipeKeeper {
 public:
  BrokenPipeKeeper() { sigaction(SIGPIPE, nullptr, &before_); }
  ~BrokenPipeKeeper() { sigaction(SIGPIPE, &before_, nullptr); }
  BrokenPipeKeeper(const BrokenPipeKeeper&) = delete;
  BrokenPipeKeeper& operator=(const BrokenPipeKeeper&) = delete;

 private:
  struct sigaction before_ {};
};

/// For the calling thread, and those it starts: a client that is gone is an error of a write, and
/// no signal.
inline void block_broken_pipe() {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
}

}  // namespace track_server

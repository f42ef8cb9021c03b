#pragma once

// A TLS library may write to a connection that the peer has closed; the default action of SIGPIPE
// would end the host. Its disposition is the host's, so it is held back on this thread alone.

#include <csignal>
#include <ctime>

namespace outbox::sinks {

/// Holds SIGPIPE back on this thread for the length of a scope, and takes away what came meanwhile.
class HeldSigpipe {
 public:
  HeldSigpipe() {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~HeldSigpipe() {
    const timespec at_once{};
    while (!was_pending_ && sigtimedwait(&sigpipe_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HeldSigpipe(const HeldSigpipe&) = delete;
  HeldSigpipe& operator=(const HeldSigpipe&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace outbox::sinks

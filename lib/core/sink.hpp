#pragma once

// The seam between the dispatcher and the network.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/decide/answer.hpp"

namespace outbox {
inline namespace v0 {

/// Where batches go. Several may be under way at once.
///
/// Threads: one thread at a time for all members but `wake`.
class Sink {
 public:
  /// The answer to the batch that was submitted as `token`.
  struct Reply {
    std::uint64_t token = 0;
    core::Answer answer = {};
  };

  virtual ~Sink() = default;

  /// What people see of the endpoint, without secrets; a change of it means another endpoint.
  virtual std::string name() const = 0;

  /// Starts sending `body`. Never throws for trouble of the network: that is an answer.
  virtual void submit(std::uint64_t token, std::string body) = 0;

  /// Waits until an answer is there, `wake` is called, or `time_max` has passed, and returns the
  /// answers that are there. Each token is answered exactly once. With nothing under way it only
  /// waits.
  virtual std::vector<Reply> collect(std::chrono::milliseconds time_max) = 0;

  /// From now on `collect` also returns when `descriptor` is readable; -1: none.
  virtual void watch(int /*descriptor*/) {}

  /// Makes the current or the next `collect` return at once. Threads: any. Async-safe: no.
  virtual void wake() noexcept = 0;

  /// Whether the credential has changed since it was refused, so that trying again makes sense.
  /// Cheap.
  virtual bool has_new_credential() { return false; }

  /// Forgets what is under way; its tokens are never answered. What was sent may have arrived.
  virtual void abort() noexcept = 0;
};

}  // namespace v0
}  // namespace outbox

#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "outbox/credentials.hpp"

namespace outbox::sinks {

/// A secret that is asked for again before it expires. Threads: any; several endpoints may share
/// it.
class ShortLivedSecret {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit ShortLivedSecret(std::function<ShortLived()> callback,
                            std::function<Instant()> now = &std::chrono::steady_clock::now)
      : callback_{std::move(callback)}, now_{std::move(now)} {}

  /// Throws: what the callback throws, when there is none that is still good.
  std::string secret() {
    const std::scoped_lock lock{mutex_};
    const Instant now = now_();
    if (now >= expires_at_) secret_.clear();
    if (secret_.empty() || now >= renew_at_) renew(now);
    return secret_;
  }

  void forget() {
    const std::scoped_lock lock{mutex_};
    secret_.clear();
  }

 private:
  static constexpr std::chrono::seconds between_tries{10};
  static constexpr std::chrono::seconds longest_lifetime = std::chrono::hours{24 * 365};

  void renew(Instant now) try {
    const ShortLived fresh = callback_();
    // A year is as good as any longer lifetime, and cannot overflow.
    const auto lifetime = std::clamp(fresh.lifetime, std::chrono::seconds{0}, longest_lifetime);
    if (fresh.secret.empty() && !secret_.empty()) return try_later(now);
    renew_at_ = now + std::chrono::milliseconds{lifetime} * 9 / 10;
    expires_at_ = now + lifetime;
    secret_ = fresh.secret;
  } catch (...) {
    if (secret_.empty()) throw;
    try_later(now);
  }

  // The old one is still good for a while, and each request would wait for the callback.
  void try_later(Instant now) { renew_at_ = std::min(expires_at_, now + between_tries); }

  std::function<ShortLived()> callback_;
  std::function<Instant()> now_;
  std::mutex mutex_;
  std::string secret_;
  Instant renew_at_ = {};
  Instant expires_at_ = {};
};

}  // namespace outbox::sinks

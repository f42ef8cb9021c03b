#include "core/decide/hold.hpp"

#include <algorithm>

namespace outbox::core {

namespace {

HoldKind hold_kind_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::refused:
      return HoldKind::refuses_everything;
    case Verdict::unauthorized:
      return HoldKind::unauthorized;
    case Verdict::misconfigured:
      return HoldKind::misconfigured;
    default:
      return HoldKind::backing_off;
  }
}

// For trouble that only people end (a token, a URL): asks an eighth as often in the beginning.
Backoff slower(const Backoff& backoff) {
  return {.min = std::min(backoff.min * 8, backoff.max), .max = backoff.max};
}

}  // namespace

std::chrono::milliseconds backoff_delay(const Backoff& backoff, std::int64_t tries, double chance) {
  // 2^27 of even 1 ms is beyond 24 h; the clamp keeps the product from overflowing.
  const auto doublings = std::clamp<std::int64_t>(tries, 0, 27);
  const auto ceiling = std::min(backoff.min * (std::int64_t{1} << doublings), backoff.max);
  const auto half = ceiling.count() / 2;
  const auto by_chance =
      static_cast<std::int64_t>(static_cast<double>(ceiling.count() - half) * chance);
  return std::chrono::milliseconds{half + by_chance};
}

HoldState hold_after(const std::optional<HoldState>& before, const Outcome& outcome,
                     const Backoff& backoff, Instant now, double chance) {
  const HoldKind kind = hold_kind_of(outcome.verdict);
  const std::int64_t tries = before ? before->tries : 0;
  const bool is_slow = kind == HoldKind::unauthorized || kind == HoldKind::misconfigured;
  auto wait = backoff_delay(is_slow ? slower(backoff) : backoff, tries, chance);
  if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
  const bool is_same = before && before->kind == kind;
  // The credential is read again at once: it may have been renewed meanwhile.
  const bool may_be_renewed = kind == HoldKind::unauthorized && !is_same;
  return {.kind = kind,
          .reason = outcome.reason,
          .since = is_same ? std::min(before->since, now) : now,
          .until = may_be_renewed ? now : now + wait,
          .tries = tries + 1};
}

}  // namespace outbox::core

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

}  // namespace

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

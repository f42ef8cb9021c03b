#include "core/decide/hold.hpp"

#include <algorithm>

namespace outbox::core {

namespace {

const char* hold_kind_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::refused:
      return hold_kind::refuses_everything;
    case Verdict::unauthorized:
      return hold_kind::unauthorized;
    case Verdict::misconfigured:
      return hold_kind::misconfigured;
    default:
      return hold_kind::backing_off;
  }
}

}  // namespace

HoldState hold_after(const std::optional<HoldState>& before, const Outcome& outcome,
                     const Backoff& backoff, Instant now, double chance) {
  const std::string kind = hold_kind_of(outcome.verdict);
  const std::int64_t tries = before ? before->tries : 0;
  const bool is_slow = kind == hold_kind::unauthorized || kind == hold_kind::misconfigured;
  auto wait = backoff_delay(is_slow ? slower(backoff) : backoff, tries, chance);
  if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
  const bool is_same = before && before->kind == kind;
  // The credential is read again at once: it may have been renewed meanwhile.
  const bool may_be_renewed = kind == hold_kind::unauthorized && !is_same;
  return {.kind = kind,
          .reason = outcome.reason,
          .since = is_same ? std::min(before->since, now) : now,
          .until = may_be_renewed ? now : now + wait,
          .tries = tries + 1};
}

}  // namespace outbox::core

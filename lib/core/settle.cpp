#include "core/settle.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::core {

namespace {

const char* hold_kind_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::unauthorized:
      return "unauthorized";
    case Verdict::misconfigured:
      return "misconfigured";
    default:
      return "backing_off";
  }
}

HoldState next_hold(const std::optional<HoldState>& hold, const Outcome& outcome,
                    const Backoff& backoff, Instant now, double chance) {
  const std::int64_t tries_before = hold ? hold->tries : 0;
  return {.kind = hold_kind_of(outcome.verdict),
          .reason = outcome.reason,
          .since = hold ? hold->since : now,
          .until = now + backoff_delay(backoff, tries_before, chance),
          .tries = tries_before + 1};
}

template <class T>
void move_to_end(std::vector<T>& all, std::vector<T>& more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Settlement settle(const std::optional<HoldState>& hold, std::vector<Attempt> attempts,
                  std::vector<Death> unsendable, const Backoff& backoff, Instant now,
                  double chance) {
  Settlement settlement{.dead = std::move(unsendable), .hold = hold};
  const Attempt* failure = nullptr;
  for (const Attempt& attempt : attempts) {
    if (attempt.outcome.verdict == Verdict::delivered) {
      settlement.delivered.insert(settlement.delivered.end(), attempt.ids.begin(),
                                  attempt.ids.end());
    } else {
      failure = &attempt;
    }
  }
  if (failure != nullptr) {
    settlement.hold = next_hold(hold, failure->outcome, backoff, now, chance);
  } else if (!settlement.delivered.empty()) {
    settlement.hold.reset();
  }
  settlement.changes_hold = settlement.hold != hold;
  std::erase_if(attempts, [](const Attempt& attempt) { return !attempt.was_made; });
  settlement.attempts = std::move(attempts);
  return settlement;
}

void append(Settlement& earlier, Settlement later) {
  move_to_end(earlier.delivered, later.delivered);
  move_to_end(earlier.dead, later.dead);
  move_to_end(earlier.attempts, later.attempts);
  if (later.changes_hold) {
    earlier.hold = std::move(later.hold);
    earlier.changes_hold = true;
  }
}

bool is_waiting(const std::optional<HoldState>& hold, const Backoff& backoff, Instant now) {
  return hold && now < hold->until && hold->until <= now + backoff.max;
}

}  // namespace outbox::core

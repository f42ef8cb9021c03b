#include "core/settle.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/retry_after.hpp"
#include "core/text.hpp"

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

std::string because(const std::string& what, const std::string& reason) {
  return sanitised(what + ": " + reason, error_bytes_max);
}

bool accepts(const Attempt& attempt) {
  const auto& events = attempt.outcome.events;
  if (events.empty()) return attempt.outcome.verdict == Verdict::delivered;
  return std::any_of(events.begin(), events.end(), [&](const EventVerdict& event) {
    return event.verdict == Verdict::delivered && event.index < attempt.ids.size();
  });
}

// Goes through the attempts of a round and gathers what they change.
class Settler {
 public:
  Settler(const DestinationState& before, const Policy& policy, Instant now, double chance)
      : before_{before}, policy_{policy}, now_{now}, chance_{chance} {
    result_.stance = before.stance;
  }

  Settlement run(std::vector<Attempt> attempts, SetAside aside) {
    result_.dead = std::move(aside.dead);
    result_.searches = std::move(aside.searches);
    has_acceptance_ = std::any_of(attempts.begin(), attempts.end(), accepts);
    for (Attempt& attempt : attempts) {
      if (attempt.was_made) {
        index_ = result_.attempts.size();
        settle_attempt(attempt);
        result_.attempts.push_back(std::move(attempt));
      } else {
        trouble(attempt);
      }
    }
    conclude();
    result_.changes_stance = result_.stance != before_.stance;
    result_.hold_change = hold_change();
    return std::move(result_);
  }

 private:
  void settle_attempt(Attempt& attempt) {
    if (accepts(attempt)) {
      result_.accepted = index_;
      result_.stance.suspects = 0;
      result_.stance.is_proven = true;
    }
    if (!attempt.outcome.events.empty()) return settle_each(attempt);
    switch (attempt.outcome.verdict) {
      case Verdict::delivered:
        return deliver(attempt, attempt.ids);
      case Verdict::refused:
        return refuse(attempt);
      case Verdict::failed:
        return fail(attempt);
      default:
        return trouble(attempt);
    }
  }

  // The endpoint has answered for each event. One that it left out has failed.
  void settle_each(const Attempt& attempt) {
    Ids delivered;
    bool has_failed = false;
    for (std::size_t i = 0; i < attempt.ids.size(); ++i) {
      const auto& events = attempt.outcome.events;
      const auto found = std::find_if(events.begin(), events.end(),
                                      [i](const EventVerdict& event) { return event.index == i; });
      if (found != events.end() && found->verdict == Verdict::delivered) {
        delivered.push_back(attempt.ids[i]);
      } else if (found != events.end() && found->verdict == Verdict::refused) {
        refuse_alone(attempt, attempt.ids[i], found->reason);
      } else {
        has_failed = true;
      }
    }
    deliver(attempt, delivered);
    if (!has_failed) return;
    Attempt rest = attempt;
    rest.outcome.verdict = Verdict::failed;
    trouble(rest);
  }

  void deliver(const Attempt& attempt, const Ids& ids) {
    result_.delivered.insert(result_.delivered.end(), ids.begin(), ids.end());
    if (Search* const search = search_of(attempt)) search->doubt.accept(ids);
  }

  void refuse(Attempt& attempt) {
    if (attempt.ids.size() == 1) {
      return refuse_alone(attempt, attempt.ids.front(), attempt.outcome.reason);
    }
    const bool is_large = attempt.outcome.is_about_size;
    const auto blame = is_large ? Doubt::Blame::nobody : Doubt::Blame::other_part;
    if (Search* const search = search_of(attempt)) {
      search->doubt.split(attempt.ids, blame);
      return;
    }
    attempt.doubt = Doubt::of_batch(attempt.ids, blame);
    if (!is_large) return;
    const std::size_t half = std::max(attempt.bytes / 2, bytes_cap_min);
    result_.stance.bytes_cap = std::min(result_.stance.bytes_cap.value_or(half), half);
  }

  void refuse_alone(const Attempt& attempt, std::int64_t id, const std::string& reason) {
    was_refused_alone_ = true;
    last_refusal_ = reason;
    Suspicion suspicion = attempt.suspicion;
    const bool is_guilty = suspicion.was_refused() && others_accepted_since(suspicion.since) &&
                           result_.stance.suspects < suspects_max;
    // Also when it was refused before, if others were accepted: one acceptance is no evidence
    // against a whole crowd. Without that it is the same one again.
    if (!suspicion.was_refused() || others_accepted_since(suspicion.since)) {
      ++result_.stance.suspects;
    }
    ++suspicion.attempts;
    if (is_guilty) {
      result_.dead.push_back({id, because("refused", reason), suspicion});
    } else {
      suspect(id, suspicion, reason);
    }
    if (Search* const search = search_of(attempt)) {
      search->doubt.set_aside(id, result_.stance.suspects);
    }
  }

  // Down, or a content that it cannot digest? First the destination waits, and another event asks.
  void fail(Attempt& attempt) {
    const bool is_single = attempt.ids.size() == 1;
    if (before_.stance.hold) return trouble(attempt);
    if (attempt.suspicion.is_suspect()) return fail_alone(attempt, attempt.suspicion);
    trouble(attempt);
    Search* const search = search_of(attempt);
    if (search == nullptr) {
      attempt.doubt = Doubt::of_batch(attempt.ids, Doubt::Blame::nobody);
    } else if (!is_single) {
      search->doubt.split(attempt.ids, Doubt::Blame::nobody);
    } else if (others_accepted_since(search->batch)) {
      fail_alone(attempt, {.since = search->batch});
      search->doubt.set_aside(attempt.ids.front(), 1);
    }
  }

  void fail_alone(const Attempt& attempt, Suspicion suspicion) {
    const std::int64_t last = suspicion.is_suspect() ? suspicion.batch : suspicion.since;
    if (others_accepted_since(last)) {
      ++suspicion.attempts;
      ++suspicion.lonely_failures;
    }
    const std::int64_t id = attempt.ids.front();
    if (suspicion.lonely_failures >= policy_.lonely_failures_max) {
      const std::string times = std::to_string(suspicion.lonely_failures);
      result_.dead.push_back({id,
                              because("failed alone " + times + " times while others were accepted",
                                      attempt.outcome.reason),
                              suspicion});
    } else {
      suspect(id, suspicion, attempt.outcome.reason);
    }
  }

  void suspect(std::int64_t id, const Suspicion& suspicion, const std::string& reason) {
    const auto wait = backoff_delay(policy_.backoff, suspicion.attempts - 1, chance_);
    result_.suspects.push_back({.id = id,
                                .suspicion = suspicion,
                                .attempt = index_,
                                .due = now_ + wait,
                                .reason = reason});
  }

  void trouble(const Attempt& attempt) {
    result_.failure = attempt.outcome.verdict;
    // A request that was under way when the hold began is no try of its own.
    const auto& earlier = before_.stance.hold;
    const bool is_late =
        earlier && earlier->since <= now_ && attempt.started < earlier->since && attempt.was_made;
    if (!is_late) failure_ = attempt.outcome;
  }

  bool others_accepted_since(std::int64_t batch) const {
    // What another URL accepted says nothing of this one.
    return result_.stance.is_proven && (has_acceptance_ || before_.accepted_batch > batch);
  }

  // The search that the attempt was a part of, to be changed; null: none.
  Search* search_of(const Attempt& attempt) {
    if (!attempt.search) return nullptr;
    const auto is_it = [&](const Search& search) { return search.batch == *attempt.search; };
    auto found = std::find_if(result_.searches.begin(), result_.searches.end(), is_it);
    if (found != result_.searches.end()) return &*found;
    const auto known = std::find_if(before_.searches.begin(), before_.searches.end(), is_it);
    if (known == before_.searches.end()) return nullptr;
    return &result_.searches.emplace_back(*known);
  }

  // What the round as a whole means for the destination. Trouble counts most.
  void conclude() {
    Stance& stance = result_.stance;
    if (failure_) {
      hold(*failure_);
    } else if (was_refused_alone_ && stance.suspects >= suspects_max) {
      hold({.verdict = Verdict::refused, .reason = because("refuses everything", last_refusal_)});
      result_.failure = Verdict::refused;
    } else if (result_.accepted && !result_.failure) {
      stance.hold.reset();
      speed_up();
    } else if (was_refused_alone_ && stance.hold &&
               stance.hold->kind != hold_kind::refuses_everything) {
      stance.hold.reset();  // it judges content again, so it works
    }
  }

  void hold(const Outcome& outcome) {
    const std::optional<HoldState>& before = before_.stance.hold;
    const std::string kind = hold_kind_of(outcome.verdict);
    const std::int64_t tries = before ? before->tries : 0;
    const bool is_slow = kind == hold_kind::unauthorized || kind == hold_kind::misconfigured;
    auto wait = backoff_delay(is_slow ? slower(policy_.backoff) : policy_.backoff, tries, chance_);
    if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
    // The credential is read again at once: it may have been renewed meanwhile.
    const bool may_be_renewed =
        kind == hold_kind::unauthorized && (!before || before->kind != kind);
    result_.stance.hold = HoldState{.kind = kind,
                                    .reason = outcome.reason,
                                    .since = before ? std::min(before->since, now_) : now_,
                                    .until = may_be_renewed ? now_ : now_ + wait,
                                    .tries = tries + 1};
    result_.stance.events_cap = 1;
  }

  HoldChange hold_change() const {
    const auto& earlier = before_.stance.hold;
    const auto& later = result_.stance.hold;
    if (later && (!earlier || earlier->kind != later->kind)) return HoldChange::begun;
    return earlier && !later ? HoldChange::ended : HoldChange::none;
  }

  // Twice as many events a request, until it is full speed again.
  void speed_up() {
    std::optional<std::size_t>& cap = result_.stance.events_cap;
    if (!cap) return;
    *cap *= 2;
    if (*cap >= policy_.batch_events) cap.reset();
  }

  const DestinationState& before_;
  const Policy& policy_;
  Instant now_;
  double chance_;
  Settlement result_;
  std::size_t index_ = 0;  // of the attempt in hand, in the log
  bool has_acceptance_ = false;
  bool was_refused_alone_ = false;
  std::string last_refusal_;
  std::optional<Outcome> failure_;
};

}  // namespace

Settlement settle(const DestinationState& before, std::vector<Attempt> attempts, SetAside aside,
                  const Policy& policy, Instant now, double chance) {
  return Settler{before, policy, now, chance}.run(std::move(attempts), std::move(aside));
}

bool is_waiting(const std::optional<HoldState>& hold, Instant now) {
  return hold && hold->since <= now && now < hold->until && hold->until <= now + retry_after_max;
}

}  // namespace outbox::core

#include "core/decide/settle.hpp"

#include <algorithm>
#include <utility>

#include "core/decide/retry_after.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"

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

bool accepts(const SentBatch& sent) {
  const auto& events = sent.outcome.events;
  if (events.empty()) return sent.outcome.verdict == Verdict::delivered;
  return std::any_of(events.begin(), events.end(), [&](const EventVerdict& event) {
    return event.verdict == Verdict::delivered && event.index < sent.ids.size();
  });
}

// Goes through the requests of a round and gathers what they change.
class Settler {
 public:
  Settler(const DestinationState& before, const Policy& policy, Instant now, double chance)
      : before_{before}, policy_{policy}, now_{now}, chance_{chance} {
    result_.endpoint = before.endpoint;
  }

  Settlement run(std::vector<SentBatch> batches, SetAside aside) {
    result_.dead = std::move(aside.dead);
    result_.searches = std::move(aside.searches);
    has_acceptance_ = std::any_of(batches.begin(), batches.end(), accepts);
    for (SentBatch& sent : batches) {
      if (sent.was_made) {
        index_ = result_.requests.size();
        settle_request(sent);
        result_.requests.push_back(std::move(sent));
      } else {
        trouble(sent);
      }
    }
    conclude();
    result_.changes_endpoint = result_.endpoint != before_.endpoint;
    result_.hold_change = hold_change();
    return std::move(result_);
  }

 private:
  void settle_request(SentBatch& sent) {
    if (accepts(sent)) {
      result_.accepted = index_;
      result_.endpoint.suspects = 0;
      result_.endpoint.is_proven = true;
    }
    if (!sent.outcome.events.empty()) return settle_each(sent);
    switch (sent.outcome.verdict) {
      case Verdict::delivered:
        return deliver(sent, sent.ids);
      case Verdict::refused:
        return refuse(sent);
      case Verdict::failed:
        return fail(sent);
      default:
        return trouble(sent);
    }
  }

  // The endpoint has answered for each event. One that it left out has failed.
  void settle_each(SentBatch& sent) {
    Ids delivered;
    bool has_failed = false;
    for (std::size_t i = 0; i < sent.ids.size(); ++i) {
      const auto& events = sent.outcome.events;
      const auto found = std::find_if(events.begin(), events.end(),
                                      [i](const EventVerdict& event) { return event.index == i; });
      if (found != events.end() && found->verdict == Verdict::delivered) {
        delivered.push_back(sent.ids[i]);
      } else if (found != events.end() && found->verdict == Verdict::refused) {
        refuse_alone(sent, sent.ids[i], found->reason);
      } else {
        has_failed = true;
      }
    }
    deliver(sent, std::move(delivered));
    if (!has_failed) return;
    SentBatch rest = sent;
    rest.outcome.verdict = Verdict::failed;
    trouble(rest);
  }

  void deliver(SentBatch& sent, Ids ids) {
    if (OpenSearch* const search = search_of(sent)) search->search.accept(ids);
    sent.delivered = std::move(ids);
  }

  void refuse(SentBatch& sent) {
    if (sent.ids.size() == 1) {
      return refuse_alone(sent, sent.ids.front(), sent.outcome.reason);
    }
    const bool is_large = sent.outcome.is_about_size;
    const auto blame = is_large ? Search::Blame::nobody : Search::Blame::other_part;
    if (OpenSearch* const search = search_of(sent)) {
      search->search.split(sent.ids, blame);
      return;
    }
    sent.begun = Search::of_batch(sent.ids, blame);
    if (!is_large) return;
    const std::size_t half = std::max(sent.bytes / 2, bytes_cap_min);
    result_.endpoint.bytes_cap = std::min(result_.endpoint.bytes_cap.value_or(half), half);
  }

  void refuse_alone(const SentBatch& sent, std::int64_t id, const std::string& reason) {
    was_refused_alone_ = true;
    last_refusal_ = reason;
    Suspicion suspicion = sent.suspicion;
    const bool is_guilty = suspicion.was_refused() && others_accepted_since(suspicion.since) &&
                           result_.endpoint.suspects < suspects_max;
    // Also when it was refused before, if others were accepted: one acceptance is no evidence
    // against a whole crowd. Without that it is the same one again.
    if (!suspicion.was_refused() || others_accepted_since(suspicion.since)) {
      ++result_.endpoint.suspects;
    }
    ++suspicion.refusals;
    if (is_guilty) {
      result_.dead.push_back({id, because("refused", reason), suspicion});
    } else {
      suspect(sent, id, suspicion, reason);
    }
    if (OpenSearch* const search = search_of(sent)) {
      search->search.set_aside(id, result_.endpoint.suspects);
    }
  }

  // Down, or a content that it cannot digest? First the destination waits, and another event asks.
  void fail(SentBatch& sent) {
    const bool is_single = sent.ids.size() == 1;
    if (before_.endpoint.hold) return trouble(sent);
    if (sent.suspicion.is_suspect()) return fail_alone(sent, sent.suspicion);
    trouble(sent);
    OpenSearch* const search = search_of(sent);
    if (search == nullptr) {
      sent.begun = Search::of_batch(sent.ids, Search::Blame::nobody);
    } else if (!is_single) {
      search->search.split(sent.ids, Search::Blame::nobody);
    } else if (others_accepted_since(search->request)) {
      fail_alone(sent, {.since = search->request});
      search->search.set_aside(sent.ids.front(), 1);
    }
  }

  void fail_alone(const SentBatch& sent, Suspicion suspicion) {
    const std::int64_t last = suspicion.is_suspect() ? suspicion.request : suspicion.since;
    if (others_accepted_since(last)) {
      ++suspicion.solo_failures;
    }
    const std::int64_t id = sent.ids.front();
    if (suspicion.solo_failures >= policy_.solo_failures_max) {
      const std::string times = std::to_string(suspicion.solo_failures);
      result_.dead.push_back({id,
                              because("failed alone " + times + " times while others were accepted",
                                      sent.outcome.reason),
                              suspicion});
    } else {
      suspect(sent, id, suspicion, sent.outcome.reason);
    }
  }

  void suspect(const SentBatch& sent, std::int64_t id, Suspicion suspicion,
               const std::string& reason) {
    suspicion.since = sent.search.value_or(0);
    const std::int64_t tries = suspicion.refusals + suspicion.solo_failures - 1;
    const auto wait = backoff_delay(policy_.backoff, tries, chance_);
    result_.suspects.push_back({.id = id,
                                .suspicion = suspicion,
                                .request = index_,
                                .due = now_ + wait,
                                .reason = reason});
  }

  void trouble(const SentBatch& sent) {
    result_.failure = sent.outcome.verdict;
    // A request that was under way when the hold began is no try of its own.
    const auto& earlier = before_.endpoint.hold;
    const bool is_late =
        earlier && earlier->since <= now_ && sent.started < earlier->since && sent.was_made;
    if (!is_late) failure_ = sent.outcome;
  }

  bool others_accepted_since(std::int64_t request) const {
    // What another URL accepted says nothing of this one.
    return result_.endpoint.is_proven && (has_acceptance_ || before_.accepted_request > request);
  }

  // The search that the request was a part of, to be changed; null: none.
  OpenSearch* search_of(const SentBatch& sent) {
    if (!sent.search) return nullptr;
    const auto is_it = [&](const OpenSearch& search) { return search.request == *sent.search; };
    auto found = std::find_if(result_.searches.begin(), result_.searches.end(), is_it);
    if (found != result_.searches.end()) return &*found;
    const auto known = std::find_if(before_.searches.begin(), before_.searches.end(), is_it);
    if (known == before_.searches.end()) return nullptr;
    return &result_.searches.emplace_back(*known);
  }

  // What the round as a whole means for the destination. Trouble counts most.
  void conclude() {
    EndpointState& endpoint = result_.endpoint;
    if (failure_) {
      hold(*failure_);
    } else if (was_refused_alone_ && endpoint.suspects >= suspects_max) {
      hold({.verdict = Verdict::refused, .reason = because("refuses everything", last_refusal_)});
      result_.failure = Verdict::refused;
    } else if (result_.accepted && !result_.failure) {
      endpoint.hold.reset();
      speed_up();
    } else if (was_refused_alone_ && endpoint.hold &&
               endpoint.hold->kind != hold_kind::refuses_everything) {
      endpoint.hold.reset();  // it judges content again, so it works
    }
  }

  void hold(const Outcome& outcome) {
    const std::optional<HoldState>& before = before_.endpoint.hold;
    const std::string kind = hold_kind_of(outcome.verdict);
    const std::int64_t tries = before ? before->tries : 0;
    const bool is_slow = kind == hold_kind::unauthorized || kind == hold_kind::misconfigured;
    auto wait = backoff_delay(is_slow ? slower(policy_.backoff) : policy_.backoff, tries, chance_);
    if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
    // The credential is read again at once: it may have been renewed meanwhile.
    const bool may_be_renewed =
        kind == hold_kind::unauthorized && (!before || before->kind != kind);
    result_.endpoint.hold = HoldState{.kind = kind,
                                      .reason = outcome.reason,
                                      .since = before ? std::min(before->since, now_) : now_,
                                      .until = may_be_renewed ? now_ : now_ + wait,
                                      .tries = tries + 1};
    result_.endpoint.events_cap = 1;
  }

  HoldChange hold_change() const {
    const auto& earlier = before_.endpoint.hold;
    const auto& later = result_.endpoint.hold;
    if (later && (!earlier || earlier->kind != later->kind)) return HoldChange::begun;
    return earlier && !later ? HoldChange::ended : HoldChange::none;
  }

  // Twice as many events a request, until it is full speed again.
  void speed_up() {
    std::optional<std::size_t>& cap = result_.endpoint.events_cap;
    if (!cap) return;
    *cap *= 2;
    if (*cap >= policy_.batch_events) cap.reset();
  }

  const DestinationState& before_;
  const Policy& policy_;
  Instant now_;
  double chance_;
  Settlement result_;
  std::size_t index_ = 0;  // of the request in hand, in the log
  bool has_acceptance_ = false;
  bool was_refused_alone_ = false;
  std::string last_refusal_;
  std::optional<Outcome> failure_;
};

}  // namespace

Settlement settle(const DestinationState& before, std::vector<SentBatch> sent, SetAside aside,
                  const Policy& policy, Instant now, double chance) {
  return Settler{before, policy, now, chance}.run(std::move(sent), std::move(aside));
}

}  // namespace outbox::core

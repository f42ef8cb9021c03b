#include "core/decide/settle.hpp"

#include <algorithm>
#include <utility>

#include "core/decide/evidence.hpp"
#include "core/decide/hold.hpp"
#include "core/decide/outcomes.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

std::string because(const std::string& what, const std::string& reason) {
  return sanitised(what + ": " + reason, error_bytes_max);
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
    for (SentBatch& sent : batches) simplify(sent);
    has_acceptance_ = std::any_of(batches.begin(), batches.end(), accepts);
    for (SentBatch& sent : batches) {
      if (sent.outcome.was_made) {
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
    const bool has_accepted = accepts(sent);
    if (has_accepted) {
      result_.accepted = index_;
      result_.endpoint.suspects = 0;
      result_.endpoint.failures = 0;
      result_.endpoint.is_proven = true;
      result_.endpoint.innocent_failures =
          innocent_failures_after(result_.endpoint.innocent_failures, sent.suspicion);
    }
    if (!sent.outcome.events.empty()) return settle_each(sent, has_accepted);
    if (sent.outcome.verdict == Verdict::delivered) return deliver(sent, sent.ids);
    if (sent.outcome.verdict == Verdict::refused) return refuse(sent);
    fail(sent);
  }

  // The sink says of each event what became of it; one that it left out has failed.
  void settle_each(SentBatch& sent, bool has_accepted) {
    std::vector<const EventOutcome*> said(sent.ids.size(), nullptr);
    for (const EventOutcome& event : sent.outcome.events) {
      if (event.index < said.size()) said[event.index] = &event;
    }
    Ids delivered;
    Outcome rest = sent.outcome;  // of those that are in trouble for no reason of their own
    rest.verdict = Verdict::delivered;
    for (std::size_t i = 0; i < said.size(); ++i) {
      const Verdict verdict = said[i] == nullptr ? Verdict::failed : said[i]->verdict;
      const std::string& reason = said[i] == nullptr ? sent.outcome.reason : said[i]->reason;
      if (verdict == Verdict::delivered) {
        delivered.push_back(sent.ids[i]);
      } else if (verdict == Verdict::refused) {
        refuse_alone(sent, sent.ids[i], reason);
      } else if (verdict == Verdict::failed && has_accepted) {
        fail_beside_others(sent, sent.ids[i], reason);
      } else if (rest.verdict == Verdict::delivered || rest.verdict == Verdict::failed) {
        rest.verdict = verdict;
        rest.reason = reason;
      }
    }
    deliver(sent, std::move(delivered));
    if (rest.verdict == Verdict::delivered) return;
    trouble({.started = sent.started, .outcome = std::move(rest)});
  }

  // The endpoint took others of the same request: from now on this one goes alone.
  void fail_beside_others(const SentBatch& sent, std::int64_t id, const std::string& reason) {
    suspect(sent, id, {}, reason);
    if (OpenSearch* const search = search_of(sent)) {
      search->search.set_aside(id, result_.endpoint.suspects + 1);
    }
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
    // It is too large by itself: what was learned from its batch says nothing of others.
    if (sent.outcome.is_about_size && sent.ids.size() == 1) result_.endpoint.bytes_cap.reset();
    Suspicion suspicion = sent.suspicion;
    const bool was_refused = suspicion.was_refused();
    const bool has_evidence = others_accepted_since(suspicion.since);
    ++suspicion.refusals;
    const bool is_guilty = has_evidence && suspicion.refusals >= guilty_after(refusals_min);
    const bool is_cornered =
        !is_guilty && policy_.buries_cornered && is_cornered_for_long(suspicion, now_);
    const bool may_die = result_.endpoint.suspects < suspects_max;
    // Also when it was refused before, if others were accepted: one acceptance is no evidence
    // against a whole crowd. Without that it is the same one again.
    if (!was_refused || has_evidence || is_cornered) ++result_.endpoint.suspects;
    if (may_die && is_guilty) {
      result_.dead.push_back({id, because("refused", reason), suspicion});
    } else if (may_die && is_cornered) {
      const std::string times = std::to_string(suspicion.refusals);
      result_.dead.push_back(
          {id, because("refused " + times + " times while nothing else could be sent", reason),
           suspicion});
    } else {
      suspect(sent, id, suspicion, reason);
    }
    if (OpenSearch* const search = search_of(sent)) {
      search->search.set_aside(id, result_.endpoint.suspects);
    }
  }

  std::int64_t guilty_after(std::int64_t failures_min) const {
    return guilty_failures(failures_min, result_.endpoint.innocent_failures);
  }

  // Down, or at odds with these events? First the destination waits, and other events ask. When
  // others are accepted and these fail again, the endpoint is selective: from then on a failure is
  // searched at once like a refusal, until too many stand in a row; after the wait, if it says how
  // long, since it may limit the rate of one tenant.
  void fail(SentBatch& sent) {
    EndpointState& endpoint = result_.endpoint;
    if (before_.endpoint.hold || !sent.outcome.has_arrived) return trouble(sent);
    if (sent.suspicion.is_suspect()) return fail_alone(sent, sent.suspicion);
    const bool is_again = sent.search && others_accepted_since(*sent.search);
    const bool says_when = sent.outcome.retry_after.has_value();
    if ((!is_again && (says_when || !endpoint.is_selective)) || endpoint.failures >= failures_max) {
      if (!sent.search) sent.begun = Search::of_failed(sent.ids);
      return trouble(sent);
    }
    OpenSearch* const search = search_of(sent);
    endpoint.is_selective = true;  // unless there is a hold
    if (says_when) trouble(sent);
    if (!says_when) ++endpoint.failures;
    if (sent.ids.size() == 1) {
      ++endpoint.suspects;
      fail_alone(sent, {.since = search == nullptr ? 0 : search->request});
      if (search != nullptr) search->search.set_aside(sent.ids.front(), endpoint.suspects + 1);
    } else if (search != nullptr) {
      search->search.split(sent.ids, Search::Blame::nobody);
    } else {
      sent.begun = Search::of_batch(sent.ids, Search::Blame::nobody);
    }
  }

  void fail_alone(const SentBatch& sent, Suspicion suspicion) {
    const std::int64_t last = suspicion.is_suspect() ? suspicion.request : suspicion.since;
    // One that was in no search yet has nothing against it but this failure.
    const bool is_again = last != 0 && others_accepted_since(last);
    const std::int64_t id = sent.ids.front();
    // A token, a URL or a rate is the endpoint's own affair: for that nothing dies, ever. The first
    // counts, since an event without any goes with each acceptance.
    const bool is_deadly = sent.outcome.verdict == Verdict::failed;
    if (is_again && (is_deadly || suspicion.solo_failures == 0)) ++suspicion.solo_failures;
    if (is_deadly && suspicion.solo_failures >= guilty_after(policy_.solo_failures_max)) {
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
    // Also when the clock was ahead then: the time against it would not begin for long.
    const std::int64_t now_ms = unix_ms(now_);
    if (suspicion.suspected_at_ms == 0 || suspicion.suspected_at_ms > now_ms) {
      suspicion.suspected_at_ms = now_ms;
    }
    const auto tries = std::max<std::int64_t>(suspicion.refusals + suspicion.solo_failures - 1, 0);
    // Not each try counts against it, so the wait grows with the time, too.
    const auto age = now_ - instant_of(suspicion.suspected_at_ms);
    const auto wait = std::max(backoff_delay(policy_.backoff, tries, chance_),
                               std::min(age / 2, policy_.backoff.max));
    result_.suspects.push_back({id, suspicion, index_, now_ + wait, reason});
  }

  void trouble(const SentBatch& sent) {
    result_.failure = sent.outcome.verdict;
    // A request that was under way when the hold began is no try of its own.
    const auto& earlier = before_.endpoint.hold;
    const bool is_late =
        earlier && earlier->since <= now_ && sent.started < earlier->since && sent.outcome.was_made;
    if (is_late) return;
    if (!failure_) ++result_.endpoint.failures;  // several in one round are one
    failure_ = sent.outcome;
  }

  bool others_accepted_since(std::int64_t request) const {
    // What another URL accepted says nothing of this one.
    return result_.endpoint.is_proven && (has_acceptance_ || before_.accepted_request > request);
  }

  // The search that the request was a part of, to be changed; null: none.
  OpenSearch* search_of(const SentBatch& sent) {
    if (!sent.search) return nullptr;
    const auto found = std::ranges::find(result_.searches, *sent.search, &OpenSearch::request);
    if (found != result_.searches.end()) return &*found;
    const auto known = std::ranges::find(before_.searches, *sent.search, &OpenSearch::request);
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
      endpoint.events_cap = faster_pace(endpoint.events_cap, policy_.batch_events);
    } else if (was_refused_alone_ && endpoint.hold &&
               endpoint.hold->kind != HoldKind::refuses_everything) {
      endpoint.hold.reset();  // it judges content again, so it works
    }
  }

  void hold(const Outcome& outcome) {
    result_.endpoint.hold =
        hold_after(before_.endpoint.hold, outcome, policy_.backoff, now_, chance_);
    result_.endpoint.is_selective = false;  // that must be seen again
    const bool is_first = result_.endpoint.failures <= 1 && before_.accepted_request > 0;
    result_.endpoint.events_cap =
        slower_pace(result_.endpoint.events_cap, policy_.batch_events, is_first);
  }

  HoldChange hold_change() const {
    const auto& earlier = before_.endpoint.hold;
    const auto& later = result_.endpoint.hold;
    if (later && (!earlier || earlier->kind != later->kind)) return HoldChange::begun;
    return earlier && !later ? HoldChange::ended : HoldChange::none;
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

#include "core/decide/explain.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace outbox::core {

namespace {

using std::chrono::milliseconds;

std::string in_words(milliseconds wait) {
  const auto seconds =
      std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(wait).count(), 0);
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3'600) return std::to_string(seconds / 3'600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

std::string in_words(Instant now, std::chrono::system_clock::time_point since) {
  return in_words(std::chrono::floor<milliseconds>(now - since));
}

std::string times(std::int64_t count) {
  return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string failures(const EventSummary& event) {
  std::string text;
  if (event.refusals > 0) text = " It was refused alone " + times(event.refusals) + ".";
  if (event.solo_failures > 0) {
    text += " The endpoint failed at it alone " + times(event.solo_failures) + ".";
  }
  return text.empty() ? " It has no refusals of its own." : text;
}

std::string place_in_line(std::int64_t due_before) {
  if (due_before == 0) return " It is the first in line.";
  if (due_before == 1) return " One due event is before it.";
  return (due_before > due_before_max ? " More than " + std::to_string(due_before_max)
                                      : " " + std::to_string(due_before)) +
         " due events are before it.";
}

bool is_settled(const EventSummary& event) {
  return event.state == EventState::delivered || event.state == EventState::dead ||
         event.state == EventState::discarded;
}

struct Cause {
  WaitingFor waiting_for;
  std::string text;
};

std::string what_to_do(const std::string& id) {
  return "`outbox retry " + id + "` tries it again, `outbox discard " + id +
         " --reason …` gives it up";
}

// One that cannot be sent as it is would only die again.
std::string what_to_do(const EventSummary& dead) {
  const std::string id = std::to_string(dead.id);
  if (!dead.last_error.starts_with("unsendable: ")) return what_to_do(id);
  return "It cannot be sent as it is; `outbox discard " + id + " --reason …` gives it up";
}

std::string name_of(const ActiveDispatcher& dispatcher) {
  if (dispatcher.pid == 0) return "another user's dispatcher";
  return "process " + std::to_string(dispatcher.pid) +
         (dispatcher.is_elsewhere ? " on " + dispatcher.host : "");
}

std::string state_of(const Holder& blocker) {
  const std::string id = std::to_string(blocker.id);
  const std::string decide = what_to_do(id) + " and lets the others go.";
  if (blocker.is_dead) return "dead: " + decide;
  if (blocker.refusals > 0) return "was refused alone " + times(blocker.refusals) + ": " + decide;
  if (blocker.solo_failures > 0) {
    return "failed alone " + times(blocker.solo_failures) + ": " + decide;
  }
  return "still pending.";
}

// Of the event itself; nothing: it may go.
std::optional<Cause> own_cause(const ExplainFacts& facts) {
  const EventSummary& event = facts.event.event;
  if (event.due_at && *event.due_at > facts.now) {
    const std::string wait = in_words(std::chrono::ceil<milliseconds>(*event.due_at - facts.now));
    if (event.state != EventState::retrying)
      return Cause{WaitingFor::schedule, "it is due in " + wait + "."};
    const bool was_refused = event.refusals > 0 && event.solo_failures == 0;
    return Cause{WaitingFor::retry,
                 std::string{was_refused ? "it was refused" : "the endpoint failed at it"} +
                     " alone (" + event.last_error + "). It is tried again alone in " + wait +
                     (was_refused ? ", or as soon as another event is accepted." : ".")};
  }
  if (facts.blocker) {
    const std::string id = std::to_string(facts.blocker->id);
    return Cause{WaitingFor::ordering_key, "event " + id +
                                               ", with the same ordering key, is before it and " +
                                               state_of(*facts.blocker)};
  }
  return std::nullopt;
}

Cause pause_of(const ExplainFacts& facts, const Pause& pause) {
  return {WaitingFor::pause, "its destination was paused " + in_words(facts.now, pause.since) +
                                 " ago" + (pause.reason.empty() ? "" : " (" + pause.reason + ")") +
                                 ": `outbox resume --destination " + facts.destination.name +
                                 "` ends that."};
}

// Empty: its dispatcher works.
std::string why_nobody_delivers(const DestinationStatus& destination) {
  if (const auto& dispatcher = destination.dispatcher) {
    if (!dispatcher->trouble.empty())
      return "its dispatcher does nothing: " + dispatcher->trouble + ".";
    if (dispatcher->database_trouble.empty()) return {};
    return "its dispatcher cannot use the database: " + dispatcher->database_trouble + ".";
  }
  return destination.was_ever_served
             ? "no dispatcher is running for its destination: start the app, or `outbox run`."
             : "no dispatcher has ever served its destination: is the name mistyped, "
               "or was none started yet?";
}

Cause cause_of(const ExplainFacts& facts) {
  const DestinationStatus& destination = facts.destination;
  const bool is_retry = facts.event.event.state == EventState::retrying;
  if (destination.paused && is_retry) return pause_of(facts, *destination.paused);
  if (auto own = own_cause(facts)) {
    if (destination.paused && own->waiting_for == WaitingFor::ordering_key) {
      own->text += " Also, " + pause_of(facts, *destination.paused).text;
    }
    return *std::move(own);
  }
  if (destination.paused) return pause_of(facts, *destination.paused);
  const std::string idle = why_nobody_delivers(destination);
  if (destination.hold) {
    const auto wait = std::chrono::ceil<milliseconds>(destination.hold->until - facts.now);
    return {WaitingFor::hold,
            "its destination is on hold for " + in_words(facts.now, destination.hold->since) +
                " (" + destination.hold->reason + ", " + std::to_string(destination.hold->tries) +
                (destination.hold->tries == 1 ? " try" : " tries") + "), next try " +
                (wait > milliseconds{0} ? "in " + in_words(wait) : "due") +
                (idle.empty() ? "." : "; but " + idle)};
  }
  if (!idle.empty()) return {WaitingFor::dispatcher, idle};
  if (facts.is_in_search) {
    return {WaitingFor::search,
            "a request that held it was refused or failed, and the guilty event is searched for."};
  }
  const auto& since = destination.dispatcher->in_flight_since;
  return {WaitingFor::turn, "its turn has not come yet; " + name_of(*destination.dispatcher) +
                                " delivers" +
                                (since ? ", and has waited " + in_words(facts.now, *since) +
                                             " for the answer to a request, which may hold it."
                                       : ".")};
}

std::string name_of(const EventDetail& detail) {
  const std::string id = std::to_string(detail.event.id);
  if (!detail.event.event_name.empty()) return id + " " + detail.event.event_name;
  return detail.kind.empty() ? id : id + " (" + detail.kind + ")";
}

}  // namespace

Explanation explain(const ExplainFacts& facts) {
  const EventSummary& event = facts.event.event;
  const std::string subject = name_of(facts.event);
  Explanation explanation{.id = event.id, .state = event.state};
  if (is_settled(event)) {
    const bool is_dead = event.state == EventState::dead;
    explanation.text =
        subject + (is_dead ? std::string{" died"} : std::string{" was "} + to_string(event.state));
    if (event.settled_at) explanation.text += " " + in_words(facts.now, *event.settled_at) + " ago";
    const auto& requests = facts.event.requests;
    const auto last = std::find_if(requests.rbegin(), requests.rend(), [](const auto& request) {
      return request.verdict == Verdict::delivered;
    });
    if (event.state == EventState::delivered && last != requests.rend()) {
      explanation.text += " in request " + std::to_string(last->id);
    }
    explanation.text += event.last_error.empty() ? "." : ": " + event.last_error + ".";
    if (is_dead) explanation.text += " " + what_to_do(event) + ".";
    return explanation;
  }
  Cause cause = cause_of(facts);
  explanation.waiting_for = cause.waiting_for;
  explanation.text = subject + " is " + to_string(event.state) + ": " + cause.text;
  explanation.text += failures(event);
  // The others wait for their time, or for an event: they stand in no line.
  if (event.state == EventState::pending) explanation.text += place_in_line(facts.due_before);
  return explanation;
}

}  // namespace outbox::core

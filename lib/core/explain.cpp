#include "core/explain.hpp"

#include <algorithm>
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

std::string place_in_line(std::int64_t due_before) {
  if (due_before == 0) return "It is the first in line.";
  return due_before == 1 ? "One due event is before it."
                         : std::to_string(due_before) + " due events are before it.";
}

bool is_settled(const EventSummary& event) {
  return event.state == "delivered" || event.state == "dead" || event.state == "discarded";
}

struct Cause {
  std::string waiting_for;
  std::string text;
};

Cause cause_of(const ExplainFacts& facts) {
  const EventSummary& event = facts.event.event;
  const DestinationStatus& lane = facts.destination;
  if (event.due_at && *event.due_at > facts.now) {
    const std::string wait = in_words(std::chrono::ceil<milliseconds>(*event.due_at - facts.now));
    if (event.attempts == 0) return {"schedule", "it is due in " + wait + "."};
    return {"retry", "it was refused alone (" + event.last_error +
                         ") and is tried again alone in " + wait +
                         ", or as soon as another event is accepted."};
  }
  if (facts.blocker) {
    const std::string id = std::to_string(facts.blocker->id);
    return {"ordering_key",
            "event " + id + ", with the same ordering key, is before it and " +
                (facts.blocker->is_dead
                     ? "dead: `outbox retry " + id + "` or `outbox discard " + id + "` lets it go."
                     : "still pending.")};
  }
  if (lane.paused) {
    return {"pause", "its destination was paused by a person " +
                         in_words(facts.now, lane.paused->since) + " ago (" + lane.paused->reason +
                         ")."};
  }
  if (lane.hold) {
    const auto wait = std::chrono::ceil<milliseconds>(lane.hold->until - facts.now);
    return {"hold", "its destination is on hold for " + in_words(facts.now, lane.hold->since) +
                        " (" + lane.hold->reason + ", " + std::to_string(lane.hold->tries) +
                        (lane.hold->tries == 1 ? " try" : " tries") + "), next try " +
                        (wait > milliseconds{0} ? "in " + in_words(wait) : "due") +
                        (lane.dispatcher ? "." : ", and no dispatcher is running.")};
  }
  if (!lane.dispatcher) {
    return {"dispatcher",
            lane.was_ever_served
                ? "no dispatcher is running for its destination."
                : "no dispatcher has ever served its destination: a typo in the name, or "
                  "is it still to be started?"};
  }
  if (facts.is_in_search) {
    return {"search", "a batch with it was refused or failed, and the guilty event is looked for."};
  }
  return {"turn",
          "its turn has not come; process " + std::to_string(lane.dispatcher->pid) + " delivers."};
}

}  // namespace

Explanation explain(const ExplainFacts& facts) {
  const EventSummary& event = facts.event.event;
  const std::string subject = std::to_string(event.id) + " " + event.event_name;
  Explanation explanation{.id = event.id, .state = event.state};
  if (is_settled(event)) {
    explanation.text = subject + (event.state == "dead" ? " is dead" : " was " + event.state);
    if (event.settled_at) {
      explanation.text += (event.state == "dead" ? " for " : " ") +
                          in_words(facts.now, *event.settled_at) +
                          (event.state == "dead" ? "" : " ago");
    }
    explanation.text += event.last_error.empty() ? "." : ": " + event.last_error + ".";
    return explanation;
  }
  Cause cause = cause_of(facts);
  explanation.waiting_for = std::move(cause.waiting_for);
  explanation.text = subject + " is " + event.state + ": " + cause.text;
  explanation.text += event.attempts == 0 ? " It has no refusals of its own. "
                                          : " It was refused " + times(event.attempts) + ". ";
  explanation.text += place_in_line(facts.due_before);
  return explanation;
}

}  // namespace outbox::core

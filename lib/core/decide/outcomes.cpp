#include "core/decide/outcomes.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/event/limits.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

Outcome fit_to_keep(Outcome outcome) {
  outcome.reason = sanitised(outcome.reason, error_bytes_max);
  outcome.response_id = sanitised(outcome.response_id, response_id_bytes_max);
  outcome.warnings = sanitised(outcome.warnings, warnings_bytes_max);
  for (EventOutcome& event : outcome.events) {
    event.reason = sanitised(event.reason, error_bytes_max);
  }
  if (outcome.retry_after) {
    outcome.retry_after =
        std::clamp(*outcome.retry_after, std::chrono::milliseconds{0}, retry_after_max);
  }
  constexpr std::chrono::hours took_max{24};  // no clock is set that far in a request
  outcome.took =
      std::clamp<std::chrono::milliseconds>(outcome.took, std::chrono::milliseconds{0}, took_max);
  return outcome;
}

bool accepts(const SentBatch& sent) {
  const auto& events = sent.outcome.events;
  if (events.empty()) return sent.outcome.verdict == Verdict::delivered;
  return std::any_of(events.begin(), events.end(), [&](const EventOutcome& event) {
    return event.verdict == Verdict::delivered && event.index < sent.ids.size();
  });
}

void simplify(SentBatch& sent) {
  std::vector<EventOutcome>& events = sent.outcome.events;
  if (events.empty() || sent.ids.empty()) return;
  const bool is_of_all = events.size() == sent.ids.size();
  std::vector<bool> is_named_once(sent.ids.size());
  const bool are_alike = is_of_all && events.front().verdict != Verdict::refused &&
                         std::all_of(events.begin(), events.end(), [&](const EventOutcome& event) {
                           const bool is_new =
                               event.index < sent.ids.size() && !is_named_once[event.index];
                           if (is_new) is_named_once[event.index] = true;
                           return is_new && event.verdict == events.front().verdict;
                         });
  if (!are_alike && sent.ids.size() > 1) return;
  const auto& said = events.front();
  const bool is_named = said.index < sent.ids.size();
  sent.outcome.verdict = is_named ? said.verdict : Verdict::failed;
  if (is_named && said.verdict != Verdict::delivered) sent.outcome.reason = said.reason;
  events.clear();
}

}  // namespace outbox::core

#include "sinks/nats_outcome.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace outbox::sinks {

namespace {

bool is_silence(const NatsAnswer& answer) {
  return !answer.is_there || (answer.status == nats_status::timeout && answer.js_code == 0);
}

bool are_all_stored(const NatsFlight& flight) {
  return std::all_of(flight.answers.begin(), flight.answers.end(), [](const NatsAnswer& answer) {
    return answer.is_there && answer.status == nats_status::ok && answer.js_code == 0;
  });
}

NatsMeaning meaning_of(const NatsFlight& flight, const NatsAnswer& answer) {
  return is_silence(answer) ? meaning_of_silence(flight)
                            : meaning_of_message(answer.status, answer.js_code, answer.text);
}

}  // namespace

bool has_silence(const NatsFlight& flight) {
  return std::any_of(flight.answers.begin(), flight.answers.end(), is_silence);
}

NatsMeaning meaning_of_silence(const NatsFlight& flight) {
  const int status = flight.was_denied ? nats_status::not_permitted
                     : flight.was_lost ? nats_status::stale_connection
                                       : nats_status::timeout;
  return meaning_of_message(status, 0, {});
}

Outcome outcome_of(const NatsFlight& flight, NatsFlight::Time now) {
  Outcome outcome{.verdict = Verdict::delivered, .has_arrived = true};
  outcome.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - flight.started);
  std::uint64_t last_sequence = 0;
  for (const NatsAnswer& answer : flight.answers) {
    last_sequence = std::max(last_sequence, answer.sequence);
  }
  if (last_sequence > 0) outcome.response_id = "sequence " + std::to_string(last_sequence);
  if (are_all_stored(flight)) return outcome;
  std::vector<NatsMeaning> meanings;
  meanings.reserve(flight.answers.size());
  for (const NatsAnswer& answer : flight.answers) meanings.push_back(meaning_of(flight, answer));
  const auto is_first = [&](const NatsMeaning& meaning) {
    return meaning.verdict == meanings.front().verdict;
  };
  const bool are_alike = std::all_of(meanings.begin(), meanings.end(), is_first);
  if (!meanings.empty() && are_alike) {
    NatsMeaning& all = meanings.front();
    outcome.verdict = all.verdict;
    outcome.reason = all.reason;
    outcome.has_arrived = std::any_of(meanings.begin(), meanings.end(),
                                      [](const auto& meaning) { return meaning.has_arrived; });
    outcome.is_about_size = all.is_about_size && meanings.size() == 1;
    // Each refused by itself: nothing has to be searched.
    if (all.verdict != Verdict::refused || meanings.size() == 1) return outcome;
  }
  for (std::size_t i = 0; i < meanings.size(); ++i) {
    const bool is_lost = meanings[i].verdict == Verdict::failed && !are_alike;
    outcome.events.push_back({.index = i,
                              .verdict = is_lost ? Verdict::unavailable : meanings[i].verdict,
                              .reason = std::move(meanings[i].reason)});
  }
  return outcome;
}

}  // namespace outbox::sinks

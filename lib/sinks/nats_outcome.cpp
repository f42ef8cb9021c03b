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

RelayMeaning meaning_of(const NatsFlight& flight, const NatsAnswer& answer) {
  return is_silence(answer) ? meaning_of_silence(flight)
                            : meaning_of_message(answer.status, answer.js_code, answer.text);
}

}  // namespace

bool has_silence(const NatsFlight& flight) {
  return std::any_of(flight.answers.begin(), flight.answers.end(), is_silence);
}

RelayMeaning meaning_of_silence(const NatsFlight& flight) {
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
  std::vector<RelayMeaning> meanings;
  meanings.reserve(flight.answers.size());
  for (const NatsAnswer& answer : flight.answers) meanings.push_back(meaning_of(flight, answer));
  const bool are_alike = say_of_all(outcome, meanings);
  if (are_alike) {
    outcome.is_about_size = meanings.front().is_about_size && meanings.size() == 1;
    // Each refused by itself: nothing has to be searched.
    if (outcome.verdict != Verdict::refused || meanings.size() == 1) return outcome;
  }
  const bool has_stored_others = has_stored(meanings);
  for (std::size_t i = 0; i < meanings.size(); ++i) {
    outcome.events.push_back({.index = i,
                              .verdict = verdict_beside_others(meanings[i], has_stored_others),
                              .reason = std::move(meanings[i].reason)});
  }
  return outcome;
}

}  // namespace outbox::sinks

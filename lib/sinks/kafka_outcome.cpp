#include "sinks/kafka_outcome.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace outbox::sinks {

namespace {

bool is_unsent(const RelayMeaning& meaning) {
  return meaning.is_silence && !meaning.has_arrived;
}

bool is_refused_by_broker(const KafkaAnswer& answer, const RelayMeaning& meaning) {
  return meaning.verdict == Verdict::refused && answer.partition != RD_KAFKA_PARTITION_UA;
}

// The broker answers for what went to a partition in one request: which of several messages it did
// not want, it does not say.
std::map<std::int32_t, int> refusals_by_partition(const KafkaFlight& flight,
                                                  const std::vector<RelayMeaning>& meanings) {
  std::map<std::int32_t, int> refusals;
  for (std::size_t i = 0; i < meanings.size(); ++i) {
    if (!is_refused_by_broker(flight.answers[i], meanings[i])) continue;
    ++refusals[flight.answers[i].partition];
  }
  return refusals;
}

// One that was refused with others has failed beside those that were taken: it goes alone next.
bool is_one_of_many(const KafkaAnswer& answer, const RelayMeaning& meaning,
                    const std::map<std::int32_t, int>& refusals) {
  return is_refused_by_broker(answer, meaning) && refusals.at(answer.partition) > 1;
}

}  // namespace

bool has_silence(const KafkaFlight& flight) {
  return std::any_of(flight.answers.begin(), flight.answers.end(), [](const KafkaAnswer& answer) {
    return is_unsent(meaning_of(answer.error, answer.status));
  });
}

Outcome outcome_of(const KafkaFlight& flight, const std::optional<RelayMeaning>& cause,
                   KafkaFlight::Time now) {
  Outcome outcome{.verdict = Verdict::delivered, .response_id = flight.place, .has_arrived = true};
  outcome.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - flight.started);
  std::vector<RelayMeaning> meanings;
  meanings.reserve(flight.answers.size());
  for (const KafkaAnswer& answer : flight.answers) {
    meanings.push_back(meaning_of(answer.error, answer.status));
    if (cause && is_unsent(meanings.back())) meanings.back() = *cause;
  }
  if (say_of_all(outcome, meanings)) {
    outcome.is_about_size = std::all_of(meanings.begin(), meanings.end(),
                                        [](const auto& meaning) { return meaning.is_about_size; });
    return outcome;
  }
  const std::map<std::int32_t, int> refusals = refusals_by_partition(flight, meanings);
  const bool has_stored_others = has_stored(meanings);
  for (std::size_t i = 0; i < meanings.size(); ++i) {
    const Verdict verdict = is_one_of_many(flight.answers[i], meanings[i], refusals)
                                ? Verdict::failed
                                : verdict_beside_others(meanings[i], has_stored_others);
    outcome.events.push_back(
        {.index = i, .verdict = verdict, .reason = std::move(meanings[i].reason)});
  }
  return outcome;
}

}  // namespace outbox::sinks

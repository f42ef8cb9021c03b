#include "sinks/kafka_flights.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::sinks {

std::uint64_t KafkaFlights::begin(KafkaFlight flight, std::size_t messages) {
  const std::uint64_t first = std::exchange(next_, next_ + std::max<std::size_t>(messages, 1));
  flight.missing = messages;
  flight.answers.resize(messages);
  flights_.emplace(first, std::move(flight));
  return first;
}

KafkaFlight* KafkaFlights::find(std::uint64_t message) {
  auto after = flights_.upper_bound(message);
  if (after == flights_.begin()) return nullptr;
  const auto found = std::prev(after);
  return message - found->first < found->second.answers.size() ? &found->second : nullptr;
}

void KafkaFlights::answer(std::uint64_t message, KafkaAnswer answer) {
  const auto after = flights_.upper_bound(message);
  KafkaFlight* const flight = find(message);
  if (flight == nullptr) return;
  KafkaAnswer& slot = flight->answers[message - std::prev(after)->first];
  if (!slot.is_there) --flight->missing;
  slot = answer;
  slot.is_there = true;
}

KafkaFlights::Time KafkaFlights::deadline() const {
  Time earliest = Time::max();
  for (const auto& [first, flight] : flights_) earliest = std::min(earliest, flight.deadline);
  return earliest;
}

void KafkaFlights::put_off(Time deadline) {
  for (auto& [first, flight] : flights_) flight.deadline = deadline;
}

std::vector<KafkaFlight> KafkaFlights::take_answered() {
  std::vector<KafkaFlight> answered;
  for (auto at = flights_.begin(); at != flights_.end();) {
    if (at->second.missing == 0) {
      answered.push_back(std::move(at->second));
      at = flights_.erase(at);
    } else {
      ++at;
    }
  }
  return answered;
}

std::vector<KafkaFlight> KafkaFlights::take_all() {
  std::vector<KafkaFlight> all;
  for (auto& [first, flight] : flights_) all.push_back(std::move(flight));
  flights_.clear();
  return all;
}

}  // namespace outbox::sinks

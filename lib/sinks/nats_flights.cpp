#include "sinks/nats_flights.hpp"

#include <algorithm>
#include <utility>

namespace outbox::sinks {

void NatsFlights::begin(std::uint64_t token, const std::vector<const void*>& messages, Time now,
                        Time deadline) {
  const std::lock_guard guard{mutex_};
  if (flights_.empty()) is_denied_ = false;  // that was about something before
  flights_[token] = {.token = token,
                     .started = now,
                     .deadline = deadline,
                     .missing = messages.size(),
                     .answers = std::vector<NatsAnswer>(messages.size())};
  expected_.reserve(expected_.size() + messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) expected_[messages[i]] = {token, i};
}

bool NatsFlights::is_lost() const {
  const std::lock_guard guard{mutex_};
  return is_lost_;
}

bool NatsFlights::has_any() const {
  const std::lock_guard guard{mutex_};
  return !flights_.empty();
}

NatsFlights::Time NatsFlights::deadline() const {
  const std::lock_guard guard{mutex_};
  Time earliest = Time::max();
  for (const auto& [token, flight] : flights_) earliest = std::min(earliest, flight.deadline);
  if (is_denied_ && !flights_.empty()) earliest = std::min(earliest, denied_until_);
  return earliest;
}

bool NatsFlights::is_over(const NatsFlight& flight, Time now) const {
  return flight.missing == 0 || is_lost_ || now >= flight.deadline ||
         (is_denied_ && now >= denied_until_);
}

std::vector<NatsFlight> NatsFlights::take(Time now) {
  const std::lock_guard guard{mutex_};
  std::vector<NatsFlight> over;
  for (auto flight = flights_.begin(); flight != flights_.end();) {
    if (!is_over(flight->second, now)) {
      ++flight;
      continue;
    }
    flight->second.was_lost = is_lost_;
    flight->second.was_denied = is_denied_;
    over.push_back(std::move(flight->second));
    flight = flights_.erase(flight);
  }
  return over;
}

void NatsFlights::answer(const void* message, NatsAnswer answer) noexcept {
  const std::lock_guard guard{mutex_};
  const auto expected = expected_.find(message);
  if (expected == expected_.end()) return;
  const Slot slot = expected->second;
  expected_.erase(expected);
  const auto flight = flights_.find(slot.token);
  if (flight == flights_.end()) return;
  NatsAnswer& kept = flight->second.answers[slot.index];
  if (kept.is_there) return;
  kept = std::move(answer);
  kept.is_there = true;
  // Not for each: waking the other thread costs more than the answer.
  if (--flight->second.missing == 0) signal_->raise();
}

void NatsFlights::note_lost() noexcept {
  const std::lock_guard guard{mutex_};
  is_lost_ = true;
  signal_->raise();
}

void NatsFlights::note_denied(Time until) noexcept {
  const std::lock_guard guard{mutex_};
  if (!is_denied_) denied_until_ = until;
  is_denied_ = true;
  signal_->raise();
}

namespace {

// The client's callbacks are plain functions with one pointer, and it does not say when the last of
// them has come. A pointer to an object would dangle; a number cannot.
struct Names {
  std::mutex mutex;
  std::map<std::uintptr_t, std::weak_ptr<NatsFlights>> flights;
  std::uintptr_t last = 0;
};

// Never destroyed: the client's threads may outlive the objects with static storage.
Names& names() {
  static Names* const all = new Names;
  return *all;
}

}  // namespace

NatsFlightsName::NatsFlightsName(std::shared_ptr<NatsFlights> flights) {
  const std::lock_guard guard{names().mutex};
  name_ = ++names().last;
  names().flights[name_] = std::move(flights);
}

NatsFlightsName::~NatsFlightsName() {
  const std::lock_guard guard{names().mutex};
  names().flights.erase(name_);
}

void* NatsFlightsName::closure() const {
  return reinterpret_cast<void*>(name_);
}

std::shared_ptr<NatsFlights> NatsFlightsName::find(void* closure) noexcept {
  const std::lock_guard guard{names().mutex};
  const auto found = names().flights.find(reinterpret_cast<std::uintptr_t>(closure));
  return found == names().flights.end() ? nullptr : found->second.lock();
}

}  // namespace outbox::sinks

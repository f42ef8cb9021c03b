#pragma once

// What is under way on one connection. The client's threads write answers down here; they touch
// nothing else of this process. Without the client's types.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sinks/nats_meaning.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

/// What became of one message.
struct NatsAnswer {
  bool is_there = false;
  int status = nats_status::ok;
  int js_code = 0;
  std::string text = {};
  std::uint64_t sequence = 0;  // where it was stored
};

/// The messages of a batch.
struct NatsFlight {
  using Time = std::chrono::steady_clock::time_point;

  std::uint64_t token = 0;
  Time started = {};
  Time deadline = {};
  std::size_t missing = 0;
  std::vector<NatsAnswer> answers = {};  // one a message
  bool was_lost = false;                 // what is missing will not come: the connection is gone
  bool was_denied = false;               // the server said that something is not permitted
};

/// Threads: any.
class NatsFlights {
 public:
  using Time = NatsFlight::Time;

  explicit NatsFlights(std::shared_ptr<WakeSignal> signal) : signal_{std::move(signal)} {}

  /// Of the thread that sends. A message is named by its address until it is answered.
  void begin(std::uint64_t token, const std::vector<const void*>& messages, Time now,
             Time deadline);
  bool is_lost() const;
  bool has_any() const;
  /// The earliest time at which `take` has something although no answer comes.
  Time deadline() const;
  /// Those that are answered as a whole, and those for which there is no more to wait.
  std::vector<NatsFlight> take(Time now);

  /// Of the client's threads, and for messages that could not be sent.
  void answer(const void* message, NatsAnswer answer) noexcept;
  void note_lost() noexcept;
  /// What is not permitted is not answered: after `until` nothing more is waited for.
  void note_denied(Time until) noexcept;

 private:
  struct Slot {
    std::uint64_t token;
    std::size_t index;
  };
  bool is_over(const NatsFlight& flight, Time now) const;

  const std::shared_ptr<WakeSignal> signal_;
  mutable std::mutex mutex_;
  std::unordered_map<const void*, Slot> expected_;
  std::map<std::uint64_t, NatsFlight> flights_;
  bool is_lost_ = false;
  bool is_denied_ = false;
  Time denied_until_ = {};
};

/// The name by which the client's callbacks find the flights of their connection. They may come
/// late, even after the sink is gone: a name that is gone finds nothing.
class NatsFlightsName {
 public:
  explicit NatsFlightsName(std::shared_ptr<NatsFlights> flights);
  ~NatsFlightsName();
  NatsFlightsName(const NatsFlightsName&) = delete;
  NatsFlightsName& operator=(const NatsFlightsName&) = delete;

  void* closure() const;
  static std::shared_ptr<NatsFlights> find(void* closure) noexcept;

 private:
  std::uintptr_t name_;
};

}  // namespace outbox::sinks

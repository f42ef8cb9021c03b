#pragma once

// One connection to a NATS server, with its JetStream context.

#include <memory>
#include <stdexcept>
#include <string>

#include "sinks/nats_flights.hpp"
#include "sinks/nats_options.hpp"

namespace outbox::sinks {

/// A connection, or a stream, that could not be had.
class NatsTrouble : public std::runtime_error {
 public:
  explicit NatsTrouble(RelayMeaning meaning)
      : std::runtime_error{meaning.reason}, meaning_{std::move(meaning)} {}
  const RelayMeaning& meaning() const { return meaning_; }

 private:
  RelayMeaning meaning_;
};

/// A message, on its way to the client library.
struct NatsMessage {
  const std::string& subject;
  std::string id = {};
  MessageHeaders headers = {};
  std::string_view body = {};
};

/// Threads: one at a time. The client's own write into `flights`.
class NatsConnection {
 public:
  /// Connects to `server`, and looks for the stream, or makes it, where the options say so. Throws:
  /// `NatsTrouble`.
  NatsConnection(const NatsServer& server, const NatsOptions& options, NatsSecret secret,
                 std::shared_ptr<NatsFlights> flights);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  NatsFlights& flights() { return *flights_; }
  /// The next batch may take it, but once nothing is under way it is to be closed.
  void note_doubt() { is_in_doubt_ = true; }
  bool is_in_doubt() const { return is_in_doubt_ || flights_->is_lost(); }
  /// Copies a message for the next `send`.
  void add(NatsMessage message);
  /// Hands the messages that were added to the client library; what becomes of them is told to the
  /// flights, in their order.
  void send(std::uint64_t token, NatsFlights::Time now, NatsFlights::Time deadline);
  /// Throws: `NatsTrouble` when the stream that the options name is not there.
  void look_at_stream(const NatsOptions& options);

 private:
  struct Client;  // what the library has made
  std::shared_ptr<NatsFlights> flights_;
  NatsFlightsName name_;
  std::unique_ptr<Client> client_;
  bool is_in_doubt_ = false;
};

}  // namespace outbox::sinks

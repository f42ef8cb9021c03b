#pragma once

// What is under way at one producer.

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace outbox::sinks {

/// What became of one message.
struct KafkaAnswer {
  bool is_there = false;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;  // as long as none is there
  rd_kafka_msg_status_t status = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
  std::int32_t partition = RD_KAFKA_PARTITION_UA;  // where it was sent to; none: nowhere
};

/// The messages of a batch.
struct KafkaFlight {
  using Time = std::chrono::steady_clock::time_point;

  std::uint64_t token = 0;
  Time started = {};
  Time deadline = {};
  std::size_t missing = 0;
  std::vector<KafkaAnswer> answers = {};  // one a message
  std::string topic = {};                 // of the first message
  std::string place = {};                 // where one was stored: "topic[0]@123"
};

/// Messages are known to the client by a number, so that a report that comes when its flight is no
/// more finds nothing.
class KafkaFlights {
 public:
  using Time = KafkaFlight::Time;

  /// Returns the number of the first message; those of the others follow.
  std::uint64_t begin(KafkaFlight flight, std::size_t messages);
  void answer(std::uint64_t message, KafkaAnswer answer);
  /// The flight of `message`; null: it is no more.
  KafkaFlight* find(std::uint64_t message);

  bool is_empty() const { return flights_.empty(); }
  /// The earliest of all; the end of time when there is none.
  Time deadline() const;
  void put_off(Time deadline);  // of all
  std::vector<KafkaFlight> take_answered();
  std::vector<KafkaFlight> take_all();

 private:
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, KafkaFlight> flights_;  // by their first message
};

}  // namespace outbox::sinks

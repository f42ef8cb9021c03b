#pragma once

// One producer of librdkafka, from its settings to its reports.

#include <librdkafka/rdkafka.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "outbox/kafka.hpp"
#include "sinks/kafka_flights.hpp"
#include "sinks/kafka_meaning.hpp"
#include "sinks/kafka_message.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

/// Why there is no producer.
class KafkaTrouble : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws: `std::invalid_argument` when the client does not know a setting or its value.
void require_known(const KafkaOptions& options);

/// Threads: one at a time. After a fork the child's copy does nothing, since its threads are gone.
class KafkaProducer {
 public:
  /// `signal` is raised when there is something to take, and outlives the producer.
  /// Throws: `KafkaTrouble`; `CredentialProblem`.
  KafkaProducer(const KafkaOptions& options, const WakeSignal& signal);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Hands copies of `messages` over, numbered from `first`. Returns an error for each, or none;
  /// with one there will be no report.
  std::vector<rd_kafka_resp_err_t> publish(const std::vector<KafkaMessage>& messages,
                                           std::uint64_t first);

  /// Gives the reports that are there to `flights`.
  void take_reports(KafkaFlights& flights);

  /// Each message that has none yet gets a report at once.
  void purge() noexcept;

  /// Why no broker says anything about messages for `topic`; none: that is not known. Asks the
  /// brokers, and waits for them for `time_max` at most; `are_answering`: they were not waited for
  /// in vain.
  std::optional<RelayMeaning> cause_of_silence(const std::string& topic,
                                               std::chrono::milliseconds time_max,
                                               bool& are_answering);

  /// The password or a topic was refused: nothing new is to be sent by this one.
  void note_refusal() { is_in_doubt_ = true; }

  bool is_dead() const { return is_dead_; }  // takes nothing any more
  bool is_refused() const { return trouble_ && trouble_->verdict == Verdict::unauthorized; }
  bool is_in_doubt() const { return is_in_doubt_ || is_dead_ || is_refused(); }

  /// Asks for all brokers, and for `topic` unless it is empty. Empty: all is well.
  std::string problem(const std::string& topic, std::chrono::milliseconds time_max);

 private:
  struct Close {
    pid_t owner;
    void operator()(rd_kafka_t* client) const;
    void operator()(rd_kafka_queue_t* queue) const;
  };

  void note_report(const rd_kafka_message_t& report, KafkaFlights& flights);
  void note_trouble(rd_kafka_event_t* event);
  std::optional<RelayMeaning> ask(const std::string& topic, std::chrono::milliseconds time_max,
                                  bool& has_answer);

  std::unique_ptr<rd_kafka_t, Close> client_;
  std::unique_ptr<rd_kafka_queue_t, Close> queue_;
  std::optional<RelayMeaning> trouble_;  // since a broker took something
  bool are_all_down_ = false;
  bool is_dead_ = false;
  bool is_in_doubt_ = false;
};

}  // namespace outbox::sinks

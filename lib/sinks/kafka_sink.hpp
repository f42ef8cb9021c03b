#pragma once

// Kafka as a sink: each event a message, each message reported.

#include <memory>
#include <string>
#include <vector>

#include "outbox/kafka.hpp"
#include "outbox/sink.hpp"
#include "sinks/kafka_flights.hpp"
#include "sinks/kafka_producer.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

class KafkaSink final : public Sink {
 public:
  /// Throws: as `kafka`.
  explicit KafkaSink(KafkaOptions options);
  ~KafkaSink() override;
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  std::string name() const override;
  BatchRules batch_rules() const override;
  void submit(std::uint64_t token, Batch batch) override;
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override;
  void watch(int descriptor) override { watched_ = descriptor; }
  void wake() noexcept override { wake_signal_.raise(); }
  bool has_new_credential() override;
  void abort() noexcept override;

 private:
  using Time = KafkaFlight::Time;

  bool make_producer(std::uint64_t token);
  void publish(std::uint64_t token, const Batch& batch);
  void gather();
  void give_up_late(Time now);
  void answer(const std::vector<KafkaFlight>& flights, Time now);
  void end_producer();
  bool wait(Time until);

  const KafkaOptions options_;
  WakeSignal wake_signal_;
  WakeSignal client_signal_;                 // outlives the producer
  std::unique_ptr<KafkaProducer> producer_;  // null: the next batch makes one
  KafkaFlights flights_;
  bool is_giving_up_ = false;  // what is under way was thrown away, and its reports are on the way
  std::vector<Reply> replies_;
  int watched_ = -1;
};

}  // namespace outbox::sinks

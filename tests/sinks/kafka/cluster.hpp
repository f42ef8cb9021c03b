#pragma once

// Brokers in this process: librdkafka's mock cluster. It keeps what it is sent, and fails as it is
// told.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <map>
#include <string>
#include <vector>

#include "outbox/sink.hpp"

namespace kafka_test {

/// Of the destination "events": outbox.event.{destination}.
inline constexpr const char* events_topic = "outbox.event.events";

/// A message as a consumer sees it.
struct Stored {
  int partition = 0;
  bool has_key = false;
  std::string key = {};
  std::string value = {};
  std::map<std::string, std::string> headers = {};  // the last one of a name
};

class Cluster {
 public:
  explicit Cluster(int brokers = 1);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(mock_); }
  void create(const std::string& topic, int partitions = 1);
  /// The next produce requests are answered with these.
  void fail_next(const std::vector<rd_kafka_resp_err_t>& errors);
  /// What the brokers say of `topic` when they are asked for it.
  void set_topic_error(const std::string& topic, rd_kafka_resp_err_t error);
  void down();
  void up();
  /// Answers come so much later.
  void delay(int ms);

  /// All messages of `topic`, each partition in its order.
  std::vector<Stored> read(const std::string& topic, int partitions = 1) const;

 private:
  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* mock_;
};

/// `count` events of "events" with payloads {"n":0}, {"n":1}, … and ids "id-0", …
outbox::Batch batch_of(int count);

/// Submits `batch`, and collects until it is answered.
outbox::Outcome outcome_of(outbox::Sink& sink, outbox::Batch batch);

}  // namespace kafka_test

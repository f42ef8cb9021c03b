#include "sinks/kafka/cluster.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>

#include "support/eventually.hpp"

namespace kafka_test {

namespace {

void say_nothing(const rd_kafka_t*, int, const char*, const char*) {}

rd_kafka_t* new_client(rd_kafka_type_t type,
                       const std::map<std::string, std::string>& settings = {}) {
  char error[512] = "";
  rd_kafka_conf_t* const made = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(made, say_nothing);
  for (const auto& [name, value] : settings) {
    rd_kafka_conf_set(made, name.c_str(), value.c_str(), error, sizeof(error));
  }
  rd_kafka_t* const client = rd_kafka_new(type, made, error, sizeof(error));
  if (client == nullptr) throw std::runtime_error{error};
  return client;
}

Stored stored_of(const rd_kafka_message_t& message) {
  Stored stored{.partition = message.partition, .has_key = message.key != nullptr};
  if (stored.has_key) stored.key.assign(static_cast<const char*>(message.key), message.key_len);
  stored.value.assign(static_cast<const char*>(message.payload), message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return stored;
  const char* name = nullptr;
  const void* text = nullptr;
  std::size_t bytes = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &text, &bytes) == 0; ++i) {
    stored.headers[name] = std::string{static_cast<const char*>(text), bytes};
  }
  return stored;
}

// One partition from its beginning to its end.
void read_partition(rd_kafka_t* client, const std::string& topic, int partition,
                    std::vector<Stored>& found) {
  rd_kafka_topic_partition_list_t* const assigned = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(assigned, topic.c_str(), partition)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, assigned);
  rd_kafka_topic_partition_list_destroy(assigned);
  const auto end = std::chrono::steady_clock::now() + support::long_enough;
  for (bool is_at_end = false; !is_at_end;) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error{"no end of " + topic};
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(client, 100);
    if (message == nullptr) continue;
    is_at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) found.push_back(stored_of(*message));
    rd_kafka_message_destroy(message);
  }
}

}  // namespace

Cluster::Cluster(int brokers)
    : client_{new_client(RD_KAFKA_PRODUCER)}, mock_{rd_kafka_mock_cluster_new(client_, brokers)} {}

Cluster::~Cluster() {
  rd_kafka_mock_cluster_destroy(mock_);
  rd_kafka_destroy(client_);
}

void Cluster::create(const std::string& topic, int partitions) {
  rd_kafka_mock_topic_create(mock_, topic.c_str(), partitions, 1);
}

void Cluster::fail_next(const std::vector<rd_kafka_resp_err_t>& errors) {
  constexpr std::int16_t produce = 0;
  rd_kafka_mock_push_request_errors_array(mock_, produce, errors.size(), errors.data());
}

void Cluster::set_topic_error(const std::string& topic, rd_kafka_resp_err_t error) {
  rd_kafka_mock_topic_set_error(mock_, topic.c_str(), error);
}

void Cluster::down() {
  rd_kafka_mock_broker_set_down(mock_, -1);
}

void Cluster::up() {
  rd_kafka_mock_broker_set_up(mock_, -1);
}

void Cluster::delay(int ms) {
  rd_kafka_mock_broker_set_rtt(mock_, -1, ms);
}

std::vector<Stored> Cluster::read(const std::string& topic, int partitions) const {
  rd_kafka_t* const client = new_client(
      RD_KAFKA_CONSUMER,
      {{"bootstrap.servers", brokers()}, {"group.id", "reader"}, {"enable.partition.eof", "true"}});
  rd_kafka_poll_set_consumer(client);
  std::vector<Stored> found;
  for (int partition = 0; partition < partitions; ++partition) {
    read_partition(client, topic, partition, found);
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return found;
}

outbox::Batch batch_of(int count) {
  outbox::Batch batch{.destination = "events", .body = "["};
  for (int i = 0; i < count; ++i) {
    if (i > 0) batch.body += ',';
    const std::string payload = R"({"n":)" + std::to_string(i) + "}";
    batch.events.push_back({.id = i + 1,
                            .event_id = "id-" + std::to_string(i),
                            .kind = "thing_done",
                            .offset = batch.body.size(),
                            .bytes = payload.size()});
    batch.body += payload;
  }
  batch.body += ']';
  return batch;
}

outbox::Outcome outcome_of(outbox::Sink& sink, outbox::Batch batch) {
  constexpr std::uint64_t token = 7;
  sink.submit(token, std::move(batch));
  const auto end = std::chrono::steady_clock::now() + 2 * support::long_enough;
  while (std::chrono::steady_clock::now() < end) {
    for (outbox::Sink::Reply& reply : sink.collect(std::chrono::seconds{1})) {
      if (reply.token == token) return std::move(reply.outcome);
    }
  }
  throw std::runtime_error{"the sink does not answer"};
}

}  // namespace kafka_test

// The Kafka sink beside a bare loop of librdkafka: batches that are waited for, in turn, against
// the client's mock cluster in this process. The mock writes to no disk: what is measured is what
// the sink adds to the client.
//
//     kafka_bench --messages 100000 --rounds 5

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "outbox/kafka.hpp"
#include "outbox/sink.hpp"

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* topic = "outbox.event.events";
constexpr std::size_t payload_bytes = 334;

void say_nothing(const rd_kafka_t*, int, const char*, const char*) {}

void count_report(rd_kafka_t*, const rd_kafka_message_t* report, void* left) {
  if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error{"not delivered"};
  --*static_cast<std::size_t*>(left);
}

struct Destroy {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, Destroy>;

Client new_client(const std::vector<std::pair<const char*, std::string>>& settings, void* opaque) {
  char error[512] = "";
  rd_kafka_conf_t* const made = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(made, name, value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error{error};
    }
  }
  rd_kafka_conf_set_log_cb(made, say_nothing);
  rd_kafka_conf_set_opaque(made, opaque);
  rd_kafka_conf_set_dr_msg_cb(made, count_report);
  Client client{rd_kafka_new(RD_KAFKA_PRODUCER, made, error, sizeof(error))};
  if (!client) throw std::runtime_error{error};
  return client;
}

/// One broker in this process. The threads of the client, one a broker, spin while they wait
/// (2.0.2): with three they fill a small machine, and nothing else is measured.
class Cluster {
 public:
  // The brokers' sockets take the setting, too: with Nagle's algorithm each batch waits 40 ms for
  // an acknowledgement of TCP, and nothing else is measured.
  Cluster()
      : client_{new_client({{"socket.nagle.disable", "true"}}, nullptr)},
        mock_{rd_kafka_mock_cluster_new(client_.get(), 1)} {
    rd_kafka_mock_topic_create(mock_, topic, 4, 1);
  }
  ~Cluster() { rd_kafka_mock_cluster_destroy(mock_); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(mock_); }

 private:
  Client client_;
  rd_kafka_mock_cluster_t* mock_;
};

outbox::Batch batch_of(std::size_t events, std::size_t number) {
  outbox::Batch batch{.destination = "events", .body = "["};
  for (std::size_t i = 0; i < events; ++i) {
    if (i > 0) batch.body += ',';
    std::string payload = R"({"text":")";
    payload += std::string(payload_bytes - payload.size() - 2, 'x');
    payload += "\"}";
    batch.events.push_back({.event_id = "0193-" + std::to_string(number) + "-" + std::to_string(i),
                            .kind = "order_paid",
                            .ordering_key = "order-" + std::to_string(i % 64),
                            .offset = batch.body.size(),
                            .bytes = payload.size()});
    batch.body += payload;
  }
  batch.body += ']';
  return batch;
}

std::vector<outbox::Batch> batches_of(std::size_t messages, std::size_t events) {
  std::vector<outbox::Batch> batches;
  for (std::size_t i = 0; i < messages / events; ++i) batches.push_back(batch_of(events, i));
  return batches;
}

double rate(std::size_t messages, SteadyClock::time_point start) {
  return static_cast<double>(messages) /
         std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void produce(rd_kafka_t* client, const outbox::Batch& batch, const outbox::BatchEvent& event) {
  const std::string_view payload = batch.payload(event);
  const auto error = rd_kafka_producev(
      client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_KEY(event.ordering_key.data(), event.ordering_key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
      RD_KAFKA_V_HEADER("id", event.event_id.data(), static_cast<ssize_t>(event.event_id.size())),
      RD_KAFKA_V_HEADER("type", event.kind.data(), static_cast<ssize_t>(event.kind.size())),
      RD_KAFKA_V_HEADER("content-type", "application/json", -1), RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error{rd_kafka_err2str(error)};
}

double bare_rate(const Cluster& cluster, std::vector<outbox::Batch> batches, std::size_t messages) {
  std::size_t left = 0;
  const Client client = new_client({{"bootstrap.servers", cluster.brokers()},
                                    {"enable.idempotence", "true"},
                                    {"linger.ms", "0"},
                                    {"socket.nagle.disable", "true"},
                                    {"partitioner", "murmur2_random"}},
                                   &left);
  const auto run = [&](outbox::Batch owned) {  // whoever sends a batch throws it away, too
    const outbox::Batch batch = std::move(owned);
    left = batch.events.size();
    for (const outbox::BatchEvent& event : batch.events) produce(client.get(), batch, event);
    while (left > 0) rd_kafka_poll(client.get(), 1'000);
  };
  run(batch_of(1, 0));  // connects
  const auto start = SteadyClock::now();
  for (outbox::Batch& batch : batches) run(std::move(batch));
  return rate(messages, start);
}

double sink_rate(const Cluster& cluster, std::vector<outbox::Batch> batches, std::size_t messages) {
  const outbox::Endpoint endpoint = outbox::kafka({.brokers = cluster.brokers()});
  outbox::Sink& sink = endpoint.sink();
  const auto run = [&sink](outbox::Batch batch) {
    sink.submit(1, std::move(batch));
    std::vector<outbox::Sink::Reply> replies;
    while (replies.empty()) replies = sink.collect(std::chrono::seconds{1});
    if (replies[0].outcome.verdict != outbox::Verdict::delivered) {
      throw std::runtime_error{replies[0].outcome.reason};
    }
  };
  run(batch_of(1, 0));
  const auto start = SteadyClock::now();
  for (outbox::Batch& batch : batches) run(std::move(batch));
  return rate(messages, start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Cluster& cluster, std::size_t messages, std::size_t events, int rounds) {
  const std::vector<outbox::Batch> batches = batches_of(messages, events);
  std::vector<double> bare, sink, ratios;
  for (int round = 0; round < rounds; ++round) {
    // In turn, so that what else the machine does is the same for both.
    bare.push_back(bare_rate(cluster, batches, messages));
    sink.push_back(sink_rate(cluster, batches, messages));
    ratios.push_back(sink.back() / bare.back());
  }
  std::printf("batches of %5zu: bare %7.0f/s, sink %7.0f/s, ratio %.2f (%.2f to %.2f)\n", events,
              median(bare), median(sink), median(ratios),
              *std::min_element(ratios.begin(), ratios.end()),
              *std::max_element(ratios.begin(), ratios.end()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The Kafka sink beside a bare loop of librdkafka"};
  std::size_t messages = 100'000;
  int rounds = 5;
  app.add_option("--messages", messages, "In each run")->check(CLI::Range(1'000, 10'000'000));
  app.add_option("--rounds", rounds, "Runs of each kind, in turn")->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  try {
    for (const std::size_t events : {100U, 1'000U}) {
      const Cluster cluster;
      compare(cluster, messages, events, rounds);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

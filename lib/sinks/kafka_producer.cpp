#include "sinks/kafka_producer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "sinks/kafka_options.hpp"
#include "sinks/secret_source.hpp"

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

struct FreeSettings {
  void operator()(rd_kafka_conf_t* settings) const { rd_kafka_conf_destroy(settings); }
};
using Settings = std::unique_ptr<rd_kafka_conf_t, FreeSettings>;

struct FreeHeaders {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};
using Headers = std::unique_ptr<rd_kafka_headers_t, FreeHeaders>;

// By default the client writes to stderr, which is its host's.
void say_nothing(const rd_kafka_t*, int, const char*, const char*) {}

// The error does not hold the value, which may be a secret.
void set(rd_kafka_conf_t& settings, const std::string& name, const std::string& value) {
  char error[512];
  const auto result =
      rd_kafka_conf_set(&settings, name.c_str(), value.c_str(), error, sizeof(error));
  if (result == RD_KAFKA_CONF_OK) return;
  std::string what = "outbox: settings: ";
  what += name;
  what += result == RD_KAFKA_CONF_UNKNOWN ? ": the client knows no such setting"
                                          : ": the client does not take this value";
  throw std::invalid_argument{what};
}

Settings client_settings(const KafkaOptions& options) {
  Settings settings{rd_kafka_conf_new()};
  for (const auto& [name, value] : settings_of(options)) set(*settings, name, value);
  rd_kafka_conf_set_log_cb(settings.get(), say_nothing);
  rd_kafka_conf_set_events(settings.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  return settings;
}

// "broker: connect failed: refused (after 3ms in state CONNECT, 4 identical error(s) suppressed)":
// what follows the cause changes each time.
std::string steady_part(std::string text) {
  const std::size_t end = text.find(" (after ");
  if (end != std::string::npos) text.resize(end);
  return text;
}

std::uint64_t number_of(const rd_kafka_message_t& report) {
  return reinterpret_cast<std::uintptr_t>(report._private);
}

}  // namespace

void require_known(const KafkaOptions& options) {
  client_settings(options);
  require_agreement(options);
}

void KafkaProducer::Close::operator()(rd_kafka_t* client) const {
  if (getpid() == owner) rd_kafka_destroy(client);
}

void KafkaProducer::Close::operator()(rd_kafka_queue_t* queue) const {
  if (getpid() != owner) return;
  rd_kafka_queue_io_event_enable(queue, -1, nullptr, 0);
  rd_kafka_queue_destroy(queue);
}

KafkaProducer::KafkaProducer(const KafkaOptions& options, const WakeSignal& signal)
    : client_{nullptr, Close{getpid()}}, queue_{nullptr, Close{getpid()}} {
  Settings settings = client_settings(options);
  if (options.credentials.password.secret) {
    const std::string password = secret_of(options.credentials.password);
    if (password.empty()) throw CredentialProblem{"the password is empty"};
    set(*settings, "sasl.password", password);
  }
  char error[512] = "";
  client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, settings.get(), error, sizeof(error)));
  if (!client_) throw KafkaTrouble{std::string{"Kafka: "}.append(error)};
  static_cast<void>(settings.release());  // it is the client's now
  queue_.reset(rd_kafka_queue_get_main(client_.get()));
  const std::uint64_t one = 1;  // what an eventfd takes
  rd_kafka_queue_io_event_enable(queue_.get(), signal.descriptor(), &one, sizeof(one));
}

// Without waiting for what was not sent: nobody will hear of it.
KafkaProducer::~KafkaProducer() {
  purge();
}

namespace {

Headers headers_of(const KafkaMessage& message) {
  constexpr std::size_t own = 3;
  Headers headers{rd_kafka_headers_new(own + message.more_headers.size())};
  for_each_header(message, [&](std::string_view name, std::string_view value) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  });
  return headers;
}

// Headers that the client makes by itself it frees twice when it refuses the message (2.0.2).
rd_kafka_resp_err_t hand_over(rd_kafka_t* client, const KafkaMessage& message,
                              std::uint64_t number) {
  Headers headers = headers_of(message);
  // The client's interface has no const; with F_COPY it writes to nothing.
  const auto value = std::pair{const_cast<char*>(message.value.data()), message.value.size()};
  const auto key = std::pair{const_cast<char*>(message.key.data()), message.key.size()};
  rd_kafka_vu_t parts[6] = {};
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = message.route->topic.c_str();
  parts[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[1].u.i = RD_KAFKA_MSG_F_COPY;
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {.ptr = value.first, .size = value.second};
  parts[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[3].u.ptr = reinterpret_cast<void*>(std::uintptr_t{number});
  parts[4].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[4].u.headers = headers.get();
  parts[5].vtype = RD_KAFKA_VTYPE_KEY;
  parts[5].u.mem = {.ptr = key.first, .size = key.second};
  const std::size_t count = message.key.empty() ? 5 : 6;
  rd_kafka_error_t* const error = rd_kafka_produceva(client, parts, count);
  if (error == nullptr) {
    static_cast<void>(headers.release());  // they are the message's now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

}  // namespace

std::vector<rd_kafka_resp_err_t> KafkaProducer::publish(const std::vector<KafkaMessage>& messages,
                                                        std::uint64_t first) {
  std::vector<rd_kafka_resp_err_t> errors;
  errors.reserve(messages.size());
  for (const KafkaMessage& message : messages) {
    errors.push_back(hand_over(client_.get(), message, first++));
  }
  return errors;
}

void KafkaProducer::take_reports(KafkaFlights& flights) {
  while (rd_kafka_event_t* const event = rd_kafka_queue_poll(queue_.get(), 0)) {
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) note_trouble(event);
    while (const rd_kafka_message_t* const report = rd_kafka_event_message_next(event)) {
      note_report(*report, flights);
    }
    rd_kafka_event_destroy(event);
  }
}

void KafkaProducer::note_report(const rd_kafka_message_t& report, KafkaFlights& flights) {
  flights.answer(number_of(report), {.error = report.err,
                                     .status = rd_kafka_message_status(&report),
                                     .partition = report.partition});
  is_dead_ = is_dead_ || ends_producer(report.err);
  if (report.err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  trouble_.reset();
  are_all_down_ = false;
  KafkaFlight* const flight = flights.find(number_of(report));
  if (flight == nullptr || !flight->place.empty()) return;
  flight->place = rd_kafka_topic_name(report.rkt);
  flight->place += "[" + std::to_string(report.partition);
  flight->place += "]@" + std::to_string(report.offset);
}

void KafkaProducer::note_trouble(rd_kafka_event_t* event) {
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    is_dead_ = true;
    error = rd_kafka_fatal_error(client_.get(), nullptr, 0);
    trouble_ = meaning_of_trouble(error);
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    are_all_down_ = true;
    if (trouble_) return;  // which says more
  }
  // Who refuses us says so of itself; a connection that ends after that says less.
  if (is_refused()) return;
  trouble_ = meaning_of_trouble(error);
  if (trouble_->verdict == Verdict::unauthorized) {
    // Nothing will be sent: what waits for it need not wait longer. In flight there may be answers.
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
    return;  // what the broker says about it may name people
  }
  const char* const text = rd_kafka_event_error_string(event);
  if (text != nullptr) trouble_->reason = steady_part(std::string{"Kafka: "}.append(text));
}

void KafkaProducer::purge() noexcept {
  if (!client_ || getpid() != client_.get_deleter().owner) return;
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
}

std::optional<RelayMeaning> KafkaProducer::cause_of_silence(const std::string& topic,
                                                            milliseconds time_max,
                                                            bool& are_answering) {
  are_answering = true;
  if (is_dead_ || is_refused() || are_all_down_) return trouble_;
  std::optional<RelayMeaning> cause = ask(topic, time_max, are_answering);
  return are_answering ? cause : trouble_;
}

std::optional<RelayMeaning> KafkaProducer::ask(const std::string& topic, milliseconds time_max,
                                               bool& has_answer) {
  const auto free_topic = [](rd_kafka_topic_t* handle) { rd_kafka_topic_destroy(handle); };
  const std::unique_ptr<rd_kafka_topic_t, decltype(free_topic)> handle{
      topic.empty() ? nullptr : rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr)};
  const rd_kafka_metadata_t* found = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client_.get(), 0, handle.get(), &found, static_cast<int>(time_max.count()));
  has_answer = error == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!has_answer) return std::nullopt;
  const auto free_found = [](const rd_kafka_metadata_t* data) { rd_kafka_metadata_destroy(data); };
  const std::unique_ptr<const rd_kafka_metadata_t, decltype(free_found)> data{found};
  if (handle == nullptr || data->topic_cnt == 0) return std::nullopt;
  const rd_kafka_metadata_topic_t& facts = data->topics[0];
  if (facts.err != RD_KAFKA_RESP_ERR_NO_ERROR) return meaning_of_trouble(facts.err);
  const rd_kafka_metadata_partition_t* const begin = facts.partitions;
  const auto* const end = begin + facts.partition_cnt;
  const auto* const in_trouble = std::find_if(begin, end, [](const auto& partition) {
    return partition.err != RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  if (in_trouble == end) return std::nullopt;
  return meaning_of_trouble(in_trouble->err);
}

std::string KafkaProducer::problem(const std::string& topic, milliseconds time_max) {
  const auto end = SteadyClock::now() + time_max;
  KafkaFlights none;
  do {
    bool has_answer = false;
    const std::optional<RelayMeaning> cause = ask(topic, milliseconds{500}, has_answer);
    if (has_answer) return cause ? cause->reason : std::string{};
    take_reports(none);
  } while (!is_dead_ && !is_refused() && !are_all_down_ && SteadyClock::now() < end);
  return trouble_ ? trouble_->reason : std::string{"Kafka: no broker answers"};
}

}  // namespace outbox::sinks

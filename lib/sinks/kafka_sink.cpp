#include "sinks/kafka_sink.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "sinks/kafka_message.hpp"
#include "sinks/kafka_options.hpp"
#include "sinks/kafka_outcome.hpp"
#include "sinks/secret_source.hpp"

namespace outbox {

namespace sinks {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// The client reports at `delivery_timeout`, or some seconds later while connections are down. If it
// does not, this is where the sink's own patience ends.
constexpr milliseconds slack{5'000};
// For the reports of what was thrown away.
constexpr milliseconds purge_time_max{1'000};
// The one wait beyond `collect`'s own: what the brokers say about a topic.
constexpr milliseconds cause_time_max{1'000};

bool is_unauthorized(const Outcome& outcome) {
  return outcome.verdict == Verdict::unauthorized ||
         std::any_of(outcome.events.begin(), outcome.events.end(), [](const EventOutcome& event) {
           return event.verdict == Verdict::unauthorized;
         });
}

}  // namespace

KafkaSink::KafkaSink(KafkaOptions options) : options_{std::move(options)} {
  require_fit(options_);
  require_known(options_);
}

KafkaSink::~KafkaSink() = default;

std::string KafkaSink::name() const {
  std::string name = "kafka://";
  name += options_.brokers;
  name += " ";
  name += options_.topic;
  return name;
}

BatchRules KafkaSink::batch_rules() const {
  return {.mixes_kinds = true, .takes_any_object = true};
}

void KafkaSink::submit(std::uint64_t token, Batch batch) {
  if (producer_ && producer_->is_dead()) end_producer();
  if (!producer_ && !make_producer(token)) return;
  publish(token, batch);
}

// False: there is none, and the batch is answered.
bool KafkaSink::make_producer(std::uint64_t token) {
  try {
    producer_ = std::make_unique<KafkaProducer>(options_, client_signal_);
    return true;
  } catch (const CredentialProblem& problem) {
    note_refusal(options_.credentials.password);
    replies_.push_back({token,
                        {.verdict = Verdict::unauthorized,
                         .reason = std::string{"Kafka: "}.append(problem.what()),
                         .was_made = false}});
  } catch (const KafkaTrouble& trouble) {
    replies_.push_back({token, {.verdict = Verdict::misconfigured, .reason = trouble.what()}});
  }
  return false;
}

void KafkaSink::publish(std::uint64_t token, const Batch& batch) {
  const Time now = SteadyClock::now();
  const std::vector<KafkaMessage> messages = messages_of(batch, options_);
  KafkaFlight flight{
      .token = token, .started = now, .deadline = now + options_.delivery_timeout + slack};
  if (!messages.empty()) flight.topic = messages.front().route->topic;
  const std::uint64_t first = flights_.begin(std::move(flight), messages.size());
  const std::vector<rd_kafka_resp_err_t> errors = producer_->publish(messages, first);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    if (errors[i] == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    flights_.answer(first + i, {.error = errors[i], .status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED});
  }
}

std::vector<Sink::Reply> KafkaSink::collect(milliseconds time_max) {
  const Time until = SteadyClock::now() + std::min<milliseconds>(time_max, std::chrono::hours{1});
  do {
    gather();
  } while (replies_.empty() && wait(until));
  return std::exchange(replies_, {});
}

void KafkaSink::gather() {
  client_signal_.take();  // before looking: what comes later raises it again
  if (!producer_) return;
  producer_->take_reports(flights_);
  const Time now = SteadyClock::now();
  answer(flights_.take_answered(), now);
  if (now >= flights_.deadline()) give_up_late(now);
  if (!flights_.is_empty()) return;
  is_giving_up_ = false;
  // The next one reads the password again.
  if (producer_ && producer_->is_in_doubt()) producer_.reset();
}

void KafkaSink::give_up_late(Time now) {
  if (is_giving_up_) return end_producer();
  is_giving_up_ = true;
  producer_->purge();
  flights_.put_off(now + purge_time_max);
}

void KafkaSink::answer(const std::vector<KafkaFlight>& flights, Time now) {
  std::optional<RelayMeaning> cause;
  std::string asked;
  bool are_answering = true;  // if not, they are not waited for again
  bool is_refused = !flights.empty() && producer_->is_refused();
  for (const KafkaFlight& flight : flights) {
    const bool is_silent = has_silence(flight);
    if (is_silent && are_answering && flight.topic != asked) {
      asked = flight.topic;
      cause = producer_->cause_of_silence(asked, cause_time_max, are_answering);
    }
    replies_.push_back({flight.token, outcome_of(flight, is_silent ? cause : std::nullopt, now)});
    is_refused |= is_unauthorized(replies_.back().outcome);
  }
  if (!is_refused) return;
  note_refusal(options_.credentials.password);
  // With it the old password goes: as long as another one is there, it would be tried at once.
  producer_->note_refusal();
}

// What it has not reported may have arrived.
void KafkaSink::end_producer() {
  const Time now = SteadyClock::now();
  for (const KafkaFlight& flight : flights_.take_all()) {
    replies_.push_back({flight.token, outcome_of(flight, std::nullopt, now)});
  }
  producer_.reset();
  is_giving_up_ = false;
}

// False: it is time to return.
bool KafkaSink::wait(Time until) {
  const Time now = SteadyClock::now();
  const Time end = std::min(until, flights_.deadline());
  const auto left = std::chrono::ceil<milliseconds>(std::max(end, now) - now);
  pollfd polled[] = {{.fd = wake_signal_.descriptor(), .events = POLLIN, .revents = 0},
                     {.fd = client_signal_.descriptor(), .events = POLLIN, .revents = 0},
                     {.fd = watched_, .events = POLLIN, .revents = 0}};  // -1 is left out
  poll(polled, std::size(polled), static_cast<int>(left.count()));
  if (polled[0].revents != 0 || polled[2].revents != 0) {
    wake_signal_.take();
    gather();
    return false;
  }
  return polled[1].revents != 0 || SteadyClock::now() < until;
}

bool KafkaSink::has_new_credential() {
  return is_renewed(options_.credentials.password);
}

void KafkaSink::abort() noexcept {
  // With its queue: nothing that was forgotten may be sent later.
  producer_.reset();
  flights_ = {};
  replies_.clear();
  is_giving_up_ = false;
}

}  // namespace sinks

inline namespace v1 {

Endpoint kafka(KafkaOptions options) {
  return Endpoint{std::make_unique<sinks::KafkaSink>(std::move(options))};
}

std::string connection_problem(const KafkaOptions& options) {
  sinks::require_fit(options);
  sinks::require_known(options);
  const sinks::WakeSignal signal;
  try {
    sinks::KafkaProducer producer{options, signal};
    const bool is_fixed = options.topic.find('{') == std::string::npos;
    return producer.problem(is_fixed ? options.topic : std::string{}, std::chrono::seconds{10});
  } catch (const sinks::KafkaTrouble& trouble) {
    return trouble.what();
  } catch (const sinks::CredentialProblem& problem) {
    return problem.what();
  }
}

}  // namespace v1
}  // namespace outbox

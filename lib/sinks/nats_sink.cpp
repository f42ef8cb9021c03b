#include "sinks/nats_sink.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "sinks/nats_message.hpp"
#include "sinks/nats_outcome.hpp"
#include "sinks/secret_source.hpp"
#include "sinks/sigpipe.hpp"

namespace outbox {

namespace sinks {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// What the server knows a repetition by. It looks at the stream alone, not at the subject, and
// rows for several destinations have one event id: without the destination, those of the second one
// would be acknowledged and not stored. A destination has no ':' in its name.
std::string deduplication_id(const std::string& destination, const BatchEvent& event) {
  std::string id = destination;
  id += ':';
  id += message_id(event);
  return id;
}

}  // namespace

NatsSink::NatsSink(NatsOptions options)
    : options_{std::move(options)}, servers_{require_servers(options_)} {
  require_fit(options_);
}

NatsSink::~NatsSink() {
  const HeldSigpipe held;  // this is the host's thread
  connection_.reset();
}

std::string NatsSink::name() const {
  std::string name = options_.url + " " + options_.subject;
  if (!options_.stream.empty()) name += " in " + options_.stream;
  return name;
}

BatchRules NatsSink::batch_rules() const {
  return {.mixes_kinds = true, .takes_any_object = true};
}

void NatsSink::add_messages(const Batch& batch) {
  std::string subject;
  const std::string* kind = nullptr;  // that of `subject`: neighbours are mostly alike
  for (const BatchEvent& event : batch.events) {
    if (kind == nullptr || *kind != event.kind) {
      subject = route(options_.subject, batch.destination, routed_kind(event));
      kind = &event.kind;
    }
    connection_->add({.subject = subject,
                      .id = deduplication_id(batch.destination, event),
                      .headers = nats_headers(event, options_),
                      .body = batch.payload(event)});
  }
}

void NatsSink::submit(std::uint64_t token, Batch batch) {
  const auto started = SteadyClock::now();
  if (!no_connection_) no_connection_ = try_to_connect();
  if (no_connection_) return replies_.push_back({token, *no_connection_});
  add_messages(batch);
  connection_->send(token, started, SteadyClock::now() + options_.ack_timeout);
}

// What is to be said of batches without a connection; none: there is one.
std::optional<Outcome> NatsSink::try_to_connect() {
  const auto started = SteadyClock::now();
  try {
    connect();
    return std::nullopt;
  } catch (const NatsTrouble& trouble) {
    Outcome outcome{.verdict = trouble.meaning().verdict, .reason = trouble.what()};
    outcome.took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
    if (outcome.verdict == Verdict::unauthorized) note_refusal(options_.credentials.source);
    return outcome;
  } catch (const CredentialProblem& problem) {
    note_refusal(options_.credentials.source);
    return Outcome{.verdict = Verdict::unauthorized, .reason = problem.what(), .was_made = false};
  }
}

void NatsSink::connect() {
  if (connection_ && !connection_->flights().is_lost()) return;
  gather();  // what was under way on the lost one
  connection_.reset();
  connection_ = first_that_answers();
}

std::unique_ptr<NatsConnection> NatsSink::first_that_answers() {
  const NatsSecret secret = nats_secret(options_.credentials);
  for (auto server = servers_.begin();; ++server) {
    try {
      return std::make_unique<NatsConnection>(*server, options_, secret,
                                              std::make_shared<NatsFlights>(signal_));
    } catch (const NatsTrouble&) {
      if (std::next(server) == servers_.end()) throw;
    }
  }
}

void NatsSink::connect_and_look() {
  connect();
  connection_->look_at_stream(options_);
}

std::vector<Sink::Reply> NatsSink::collect(milliseconds time_max) {
  const auto deadline = SteadyClock::now() + time_max;
  no_connection_.reset();
  for (;;) {
    const bool is_raised = signal_->take();
    gather();
    if (is_raised || !replies_.empty() || SteadyClock::now() >= deadline) break;
    const bool is_watched_readable = wait(deadline);
    if (!is_watched_readable) continue;
    gather();
    break;
  }
  return std::exchange(replies_, {});
}

// True: the watched descriptor is readable.
bool NatsSink::wait(SteadyClock::time_point until) {
  if (connection_) until = std::min(until, connection_->flights().deadline());
  pollfd waited[] = {{.fd = signal_->descriptor(), .events = POLLIN, .revents = 0},
                     {.fd = watched_, .events = POLLIN, .revents = 0}};
  const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
  const auto step = std::clamp<milliseconds>(left, milliseconds{0}, std::chrono::hours{1});
  poll(waited, watched_ < 0 ? 1 : 2, static_cast<int>(step.count()));
  return watched_ >= 0 && waited[1].revents != 0;
}

void NatsSink::gather() {
  if (!connection_) return;
  const auto now = SteadyClock::now();
  for (const NatsFlight& flight : connection_->flights().take(now)) {
    Outcome outcome = outcome_of(flight, now);
    if (flight.was_denied) note_refusal(options_.credentials.source);
    if (flight.was_denied || has_silence(flight)) connection_->note_doubt();
    replies_.push_back({flight.token, std::move(outcome)});
  }
  // A new connection has new permissions, and no messages that may still be answered.
  if (connection_->is_in_doubt() && !connection_->flights().has_any()) connection_.reset();
}

bool NatsSink::has_new_credential() {
  return is_renewed(options_.credentials.source);
}

void NatsSink::abort() noexcept {
  connection_.reset();  // with what it may have been about to send
  no_connection_.reset();
  replies_.clear();
}

}  // namespace sinks

inline namespace v1 {

NatsCredentials nats_token(SecretSource token) {
  return {.kind = NatsCredentials::Kind::token, .user = {}, .source = std::move(token)};
}
NatsCredentials nats_user(std::string user, SecretSource password) {
  return {.kind = NatsCredentials::Kind::password,
          .user = std::move(user),
          .source = std::move(password)};
}
NatsCredentials nats_creds(SecretSource text) {
  return {.kind = NatsCredentials::Kind::creds, .user = {}, .source = std::move(text)};
}

Endpoint nats_jetstream(NatsOptions options) {
  return Endpoint{std::make_unique<sinks::NatsSink>(std::move(options))};
}

std::string connection_problem(const NatsOptions& options) {
  NatsOptions looking = options;
  looking.create_stream = {};  // a look makes nothing
  if (options.create_stream) looking.stream.clear();
  const sinks::HeldSigpipe held;
  sinks::NatsSink sink{std::move(looking)};
  try {
    sink.connect_and_look();
    return {};
  } catch (const sinks::NatsTrouble& trouble) {
    return trouble.what();
  } catch (const sinks::CredentialProblem& problem) {
    return problem.what();
  }
}

}  // namespace v1
}  // namespace outbox

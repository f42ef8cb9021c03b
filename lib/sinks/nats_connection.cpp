#include "sinks/nats_connection.hpp"

#include <nats/nats.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "sinks/nats_connect_limit.hpp"
#include "sinks/nats_stream.hpp"

namespace outbox::sinks {

namespace {

using std::chrono::milliseconds;

static_assert(NATS_IO_ERROR == nats_status::io_error &&
              NATS_CONNECTION_CLOSED == nats_status::connection_closed &&
              NATS_NO_SERVER == nats_status::no_server &&
              NATS_STALE_CONNECTION == nats_status::stale_connection &&
              NATS_SECURE_CONNECTION_WANTED == nats_status::secure_connection_wanted &&
              NATS_SECURE_CONNECTION_REQUIRED == nats_status::secure_connection_required &&
              NATS_CONNECTION_DISCONNECTED == nats_status::connection_disconnected &&
              NATS_CONNECTION_AUTH_FAILED == nats_status::auth_failed &&
              NATS_NOT_PERMITTED == nats_status::not_permitted &&
              NATS_MAX_PAYLOAD == nats_status::max_payload &&
              NATS_TIMEOUT == nats_status::timeout && NATS_SSL_ERROR == nats_status::ssl_error &&
              NATS_NO_SERVER_SUPPORT == nats_status::no_server_support &&
              NATS_NO_RESPONDERS == nats_status::no_responders);

// A connection that takes nothing for so long is given up: whoever publishes waits for it.
constexpr milliseconds write_timeout_max{5'000};
// The client's own limit comes first, where it works.
constexpr milliseconds connect_slack{1'000};
// What else was published with a forbidden message is answered by then.
constexpr milliseconds denied_grace{1'000};

// The threads that the client makes take no signals of the host's, and its first use leaves the
// host's way with SIGPIPE as it was; the client ignores that signal for the whole process.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
    static std::once_flag once;
    std::call_once(once, [] {
      struct sigaction on_pipe {};
      sigaction(SIGPIPE, nullptr, &on_pipe);
      nats_Open(-1);
      sigaction(SIGPIPE, &on_pipe, nullptr);
    });
  }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

// Whoever subscribes to the subject may answer, and then the client fills in what it can.
bool names_a_place(const jsPubAck& stored) {
  return stored.Stream != nullptr && *stored.Stream != '\0' && stored.Sequence > 0;
}

void on_answer(jsCtx*, natsMsg* message, jsPubAck* stored, jsPubAckErr* error, void* closure) {
  if (const auto flights = NatsFlightsName::find(closure)) {
    NatsAnswer answer;
    if (stored != nullptr && names_a_place(*stored)) {
      answer.sequence = stored->Sequence;
    } else {
      answer.status = nats_status::no_acknowledgement;
    }
    if (error != nullptr) {
      answer.status = error->Err;
      answer.js_code = static_cast<int>(error->ErrCode);
      try {
        if (error->ErrText != nullptr) answer.text = error->ErrText;
      } catch (const std::bad_alloc&) {  // the number is enough
      }
    }
    flights->answer(message, std::move(answer));
  }
  natsMsg_Destroy(message);
}

void on_error(natsConnection*, natsSubscription*, natsStatus status, void* closure) {
  if (status != NATS_NOT_PERMITTED) return;
  if (const auto flights = NatsFlightsName::find(closure)) {
    flights->note_denied(std::chrono::steady_clock::now() + denied_grace);
  }
}

void on_closed(natsConnection*, void* closure) {
  if (const auto flights = NatsFlightsName::find(closure)) flights->note_lost();
}

// Both are asked while connecting only, since the client does not reconnect.
natsStatus give_jwt(char** jwt, char**, void* closure) {
  *jwt = strdup(static_cast<const NatsSecret*>(closure)->jwt.c_str());
  return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
}

natsStatus sign(char**, unsigned char** signature, int* length, const char* nonce, void* closure) {
  return nats_Sign(static_cast<const NatsSecret*>(closure)->seed.c_str(), nonce, signature, length);
}

void must(natsStatus status) {
  if (status == NATS_NO_MEMORY) throw std::bad_alloc{};
  if (status != NATS_OK) {
    throw NatsTrouble{meaning_of_connection(status, natsStatus_GetText(status))};
  }
}

natsConnection* connect(natsOptions* with, const NatsServer& server, milliseconds timeout) {
  natsConnection* made = nullptr;
  const NatsConnectLimit limit{server, timeout + connect_slack};
  const natsStatus status = natsConnection_Connect(&made, with);
  must(status != NATS_OK && limit.has_acted() ? NATS_TIMEOUT : status);
  return made;
}

struct DestroyOptions {
  void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
};
using Options = std::unique_ptr<natsOptions, DestroyOptions>;

void set_tls(natsOptions* to, const NatsServer& server, const NatsOptions& options) {
  if (!server.is_tls) return;
  must(natsOptions_SetSecure(to, true));
  must(natsOptions_SetExpectedHostname(to, server.host.c_str()));
  if (!options.ca_file.empty()) {
    must(natsOptions_LoadCATrustedCertificates(to, options.ca_file.c_str()));
  }
  if (!options.certificate_file.empty()) {
    must(natsOptions_LoadCertificatesChain(to, options.certificate_file.c_str(),
                                           options.key_file.c_str()));
  }
}

void set_secret(natsOptions* to, const NatsOptions& options, NatsSecret& secret) {
  switch (options.credentials.kind) {
    case NatsCredentials::Kind::none:
      return;
    case NatsCredentials::Kind::token:
      return must(natsOptions_SetToken(to, secret.password.c_str()));
    case NatsCredentials::Kind::password:
      return must(natsOptions_SetUserInfo(to, secret.user.c_str(), secret.password.c_str()));
    case NatsCredentials::Kind::creds:
      return must(natsOptions_SetUserCredentialsCallbacks(to, give_jwt, &secret, sign, &secret));
  }
}

Options client_options(const NatsServer& server, const NatsOptions& options, NatsSecret& secret,
                       void* closure) {
  natsOptions* made = nullptr;
  must(natsOptions_Create(&made));
  Options to{made};
  must(natsOptions_SetURL(made, server.url.c_str()));
  must(natsOptions_SetName(made, "outbox"));
  must(natsOptions_SetTimeout(made, options.connect_timeout.count()));
  // Without: what is published meanwhile goes to a buffer that may be thrown away.
  must(natsOptions_SetAllowReconnect(made, false));
  // The limit on connecting is for one server, and those to try are the caller's.
  must(natsOptions_SetIgnoreDiscoveredServers(made, true));
  must(natsOptions_SetWriteDeadline(
      made, std::min<milliseconds>(write_timeout_max, options.ack_timeout).count()));
  must(natsOptions_SetErrorHandler(made, on_error, closure));
  must(natsOptions_SetClosedCB(made, on_closed, closure));
  set_tls(made, server, options);
  set_secret(made, options, secret);
  return to;
}

}  // namespace

struct NatsConnection::Client {
  struct DestroyMessage {
    void operator()(natsMsg* message) const { natsMsg_Destroy(message); }
  };
  using Message = std::unique_ptr<natsMsg, DestroyMessage>;
  struct Added {
    Message message;
    std::string id;
  };
  ~Client() {
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(connection);
  }
  natsConnection* connection = nullptr;
  jsCtx* jetstream = nullptr;
  jsPubOptions publishing = {};
  std::string stream = {};
  NatsSecret secret = {};
  std::vector<Added> added = {};
};

NatsConnection::NatsConnection(const NatsServer& server, const NatsOptions& options,
                               NatsSecret secret, std::shared_ptr<NatsFlights> flights)
    : flights_{std::move(flights)}, name_{flights_}, client_{std::make_unique<Client>()} {
  const HeldSignals held;
  Client& client = *client_;
  client.secret = std::move(secret);
  const Options made = client_options(server, options, client.secret, name_.closure());
  client.connection = connect(made.get(), server, options.connect_timeout);
  client.secret = {};
  jsOptions jetstream;
  jsOptions_Init(&jetstream);
  jetstream.Wait = options.connect_timeout.count();
  jetstream.PublishAsync.AckHandler = on_answer;
  jetstream.PublishAsync.AckHandlerClosure = name_.closure();
  must(natsConnection_JetStream(&client.jetstream, client.connection, &jetstream));
  client.stream = options.stream;
  jsPubOptions_Init(&client.publishing);
  // No MaxWait: the client would keep a record of each message for so long, also of those that are
  // acknowledged at once. Flights have their own deadlines.
  if (!client.stream.empty()) client.publishing.ExpectStream = client.stream.c_str();
  if (options.create_stream) make_stream_if_missing(client.jetstream, options);
}

NatsConnection::~NatsConnection() = default;

void NatsConnection::look_at_stream(const NatsOptions& options) {
  require_stream(client_->jetstream, options);
}

void NatsConnection::add(NatsMessage message) {
  natsMsg* made = nullptr;
  natsStatus status = natsMsg_Create(&made, message.subject.c_str(), nullptr, message.body.data(),
                                     static_cast<int>(message.body.size()));
  Client::Message owned{made};
  for (const auto& [name, value] : message.headers) {
    if (status == NATS_OK) status = natsMsgHeader_Set(made, name.c_str(), value.c_str());
  }
  if (status != NATS_OK) must(status);
  client_->added.push_back({std::move(owned), std::move(message.id)});
}

// All are written down before the first one goes, so that the answers, which begin to come
// meanwhile, find them, and nobody waits for anybody at each.
void NatsConnection::send(std::uint64_t token, NatsFlights::Time now, NatsFlights::Time deadline) {
  const HeldSignals held;  // the first message makes the thread that takes acknowledgements
  std::vector<Client::Added> added = std::exchange(client_->added, {});
  std::vector<const void*> addresses;
  addresses.reserve(added.size());
  for (const Client::Added& one : added) addresses.push_back(one.message.get());
  flights_->begin(token, addresses, now, deadline);
  for (std::size_t i = 0; i < added.size(); ++i) {
    client_->publishing.MsgId = added[i].id.c_str();
    natsMsg* message = added[i].message.release();
    const natsStatus status =
        js_PublishMsgAsync(client_->jetstream, &message, &client_->publishing);
    if (status != NATS_OK) flights_->answer(addresses[i], {.status = static_cast<int>(status)});
    natsMsg_Destroy(message);  // null when the library has taken it
    if (status == NATS_NO_MEMORY) throw std::bad_alloc{};
  }
}

}  // namespace outbox::sinks

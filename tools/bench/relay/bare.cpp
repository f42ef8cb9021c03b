#include "bare.hpp"

#include <nats/nats.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace relay_bench {

namespace {

void require(natsStatus status, const char* what) {
  if (status != NATS_OK) {
    throw std::runtime_error{std::string{what} + ": " + natsStatus_GetText(status)};
  }
}

}  // namespace

struct BareClient::State {
  ~State() {
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(connection);
  }
  static void on_answer(jsCtx*, natsMsg* message, jsPubAck*, jsPubAckErr* error, void* closure) {
    State& state = *static_cast<State*>(closure);
    const std::lock_guard guard{state.mutex};
    state.errors += error == nullptr ? 0 : 1;
    if (--state.missing == 0) state.is_done.notify_one();
    natsMsg_Destroy(message);
  }

  natsConnection* connection = nullptr;
  jsCtx* jetstream = nullptr;
  std::mutex mutex;
  std::condition_variable is_done;
  std::size_t missing = 0;
  std::size_t errors = 0;
};

BareClient::BareClient(const std::string& url) : state_{std::make_unique<State>()} {
  require(natsConnection_ConnectTo(&state_->connection, url.c_str()), "connect");
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = 30'000;
  options.PublishAsync.AckHandler = State::on_answer;
  options.PublishAsync.AckHandlerClosure = state_.get();
  require(natsConnection_JetStream(&state_->jetstream, state_->connection, &options), "JetStream");
}

BareClient::~BareClient() = default;

void BareClient::make_stream(const std::string& name, const std::string& subject) {
  jsErrCode code{};
  js_DeleteStream(state_->jetstream, name.c_str(), nullptr, &code);
  const char* subjects[] = {subject.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = name.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  require(js_AddStream(nullptr, state_->jetstream, &config, nullptr, &code), "make a stream");
}

std::size_t BareClient::count(const std::string& stream) {
  jsStreamInfo* info = nullptr;
  jsErrCode code{};
  require(js_GetStreamInfo(&info, state_->jetstream, stream.c_str(), nullptr, &code), "look");
  const auto messages = static_cast<std::size_t>(info->State.Msgs);
  jsStreamInfo_Destroy(info);
  return messages;
}

void BareClient::publish(const std::string& subject, const std::string& body, std::size_t messages,
                         std::size_t batch, const std::string& ids) {
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MaxWait = 30'000;
  for (std::size_t sent = 0; sent < messages;) {
    const std::size_t count = std::min(batch, messages - sent);
    {
      const std::lock_guard guard{state_->mutex};
      state_->missing = count;
    }
    for (std::size_t i = 0; i < count; ++i, ++sent) {
      const std::string id = ids + std::to_string(sent);
      natsMsg* message = nullptr;
      require(natsMsg_Create(&message, subject.c_str(), nullptr, body.data(),
                             static_cast<int>(body.size())),
              "make a message");
      require(natsMsgHeader_Set(message, "Content-Type", "application/json"), "header");
      options.MsgId = id.c_str();
      require(js_PublishMsgAsync(state_->jetstream, &message, &options), "publish");
      natsMsg_Destroy(message);
    }
    std::unique_lock lock{state_->mutex};
    state_->is_done.wait(lock, [this] { return state_->missing == 0; });
    if (state_->errors > 0) throw std::runtime_error{"a message was not stored"};
  }
}

}  // namespace relay_bench

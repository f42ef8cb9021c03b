#include "support/nats_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "support/eventually.hpp"

extern char** environ;

namespace support {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error{"no free port"};
  }
  close(socket);
  return ntohs(address.sin_port);
}

void require(natsStatus status, const char* what, int code = 0) {
  if (status == NATS_OK) return;
  throw std::runtime_error{std::string{what} + ": " + natsStatus_GetText(status) + " " +
                           std::to_string(code)};
}

NatsStored stored(natsMsg* message) {
  NatsStored result{
      .subject = natsMsg_GetSubject(message),
      .body = {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))}};
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(message, &keys, &count) == NATS_OK) {
    for (int i = 0; i < count; ++i) {
      const char* value = nullptr;
      if (natsMsgHeader_Get(message, keys[i], &value) == NATS_OK) result.headers[keys[i]] = value;
    }
    free(keys);
  }
  return result;
}

}  // namespace

NatsProcess::NatsProcess(std::string config, bool starts) : port_{free_port()} {
  if (std::string_view{OUTBOX_NATS_SERVER}.empty()) {
    std::puts("skipped: nats-server is not installed (Debian: nats-server)");
    std::exit(0);
  }
  write_config(config);
  if (starts) start();
}

NatsProcess::~NatsProcess() {
  if (pid_ > 0) kill(SIGKILL);
}

void NatsProcess::write_config(const std::string& config) {
  std::ofstream{folder_.file("nats.conf")}
      << "listen: \"127.0.0.1:" << port_ << "\"\nlog_file: \"" << folder_.file("nats.log")
      << "\"\njetstream { store_dir: \"" << folder_.file("jetstream")
      << "\", max_memory_store: 100MB, max_file_store: 2GB }\n"
      << config << "\n";
}

void NatsProcess::configure(std::string config) {
  write_config(config);
}

void NatsProcess::start() {
  const std::string file = folder_.file("nats.conf");
  // A test that is killed leaves no server behind.
  std::string words[] = {"setpriv", "--pdeathsig", "KILL", OUTBOX_NATS_SERVER, "-c", file};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (posix_spawnp(&pid_, words[0].c_str(), nullptr, nullptr, arguments.data(), environ) != 0) {
    throw std::runtime_error{"nats-server does not start"};
  }
  if (!becomes_true([this] { return takes_connections(); })) {
    throw std::runtime_error{"nats-server takes no connections"};
  }
}

bool NatsProcess::takes_connections() const {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  char info[16] = {};
  const bool is_there =
      connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      recv(socket, info, 4, MSG_WAITALL) == 4;
  close(socket);
  return is_there && std::strcmp(info, "INFO") == 0;
}

void NatsProcess::kill(int signal) {
  ::kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
}

void NatsProcess::pause(int signal) {
  ::kill(pid_, signal);
  // It stands still when the last of its threads does; until then one may still greet a client.
  if (signal == SIGSTOP) ::waitpid(pid_, nullptr, WUNTRACED);
}

void NatsProcess::reload() {
  ::kill(pid_, SIGHUP);
}

struct NatsReader::Client {
  ~Client() {
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(connection);
    natsOptions_Destroy(options);
  }
  natsOptions* options = nullptr;
  natsConnection* connection = nullptr;
  jsCtx* jetstream = nullptr;
};

NatsReader::NatsReader(const NatsProcess& server, const std::string& user,
                       const std::string& password)
    : client_{std::make_unique<Client>()} {
  require(natsOptions_Create(&client_->options), "options");
  require(natsOptions_SetURL(client_->options, server.url().c_str()), "url");
  if (!user.empty()) {
    require(natsOptions_SetUserInfo(client_->options, user.c_str(), password.c_str()), "user");
  }
  require(natsConnection_Connect(&client_->connection, client_->options), "connect");
  jsOptions jetstream;
  jsOptions_Init(&jetstream);
  jetstream.Wait = 60'000;
  require(natsConnection_JetStream(&client_->jetstream, client_->connection, &jetstream), "js");
}

NatsReader::~NatsReader() = default;

void NatsReader::make_stream(const std::string& name, const std::string& subject,
                             NatsStreamLimits limits) {
  const char* subjects[] = {subject.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = name.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  config.Discard = js_DiscardNew;
  config.MaxMsgs = limits.messages_max;
  config.MaxMsgSize = limits.message_bytes_max;
  config.NoAck = limits.is_silent;
  jsErrCode code{};
  require(js_AddStream(nullptr, client_->jetstream, &config, nullptr, &code), "add stream", code);
}

void NatsReader::remove_stream(const std::string& name) {
  jsErrCode code{};
  require(js_DeleteStream(client_->jetstream, name.c_str(), nullptr, &code), "delete", code);
}

std::uint64_t NatsReader::count(const std::string& stream) {
  jsStreamInfo* info = nullptr;
  jsErrCode code{};
  require(js_GetStreamInfo(&info, client_->jetstream, stream.c_str(), nullptr, &code), "info",
          code);
  const std::uint64_t messages = info->State.Msgs;
  jsStreamInfo_Destroy(info);
  return messages;
}

std::vector<NatsStored> NatsReader::read(const std::string& stream) {
  std::vector<NatsStored> messages;
  const std::uint64_t total = count(stream);
  if (total == 0) return messages;
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.Stream = stream.c_str();
  options.Ordered = true;
  natsSubscription* subscription = nullptr;
  jsErrCode code{};
  require(js_SubscribeSync(&subscription, client_->jetstream, ">", nullptr, &options, &code),
          "subscribe", code);
  require(natsSubscription_SetPendingLimits(subscription, -1, -1), "no limits");
  while (messages.size() < total) {
    natsMsg* message = nullptr;
    require(natsSubscription_NextMsg(&message, subscription, 60'000), "next message");
    messages.push_back(stored(message));
    natsMsg_Destroy(message);
  }
  natsSubscription_Destroy(subscription);
  return messages;
}

}  // namespace support

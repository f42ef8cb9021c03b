#pragma once

// Debian's nats-server with JetStream, on a port and in a folder of its own; and what a test wants
// to know of its streams.

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/database.hpp"

namespace support {

class NatsProcess {
 public:
  /// `config` is added to the server's file, e.g. "max_payload: 1000". Starts it unless told not
  /// to.
  explicit NatsProcess(std::string config = {}, bool starts = true);
  ~NatsProcess();
  NatsProcess(const NatsProcess&) = delete;
  NatsProcess& operator=(const NatsProcess&) = delete;

  std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  void start();                        // waits until it takes connections
  void kill(int signal);               // and waits for its end
  void pause(int signal);              // SIGSTOP, SIGCONT
  void configure(std::string config);  // for the next start
  void reload();                       // the server reads its configuration again
  const TemporaryFolder& folder() const { return folder_; }

 private:
  void write_config(const std::string& config);
  bool takes_connections() const;

  TemporaryFolder folder_;
  int port_;
  pid_t pid_ = -1;
};

struct NatsStored {
  std::string subject = {};
  std::map<std::string, std::string> headers = {};
  std::string body = {};
};

struct NatsStreamLimits {
  std::int64_t messages_max = -1;
  int message_bytes_max = -1;
  bool is_silent = false;  // no_ack
};

/// Another client of the server, as a service that reads the events would be.
class NatsReader {
 public:
  /// `user` and `password` may be empty.
  explicit NatsReader(const NatsProcess& server, const std::string& user = {},
                      const std::string& password = {});
  ~NatsReader();

  void make_stream(const std::string& name, const std::string& subject,
                   NatsStreamLimits limits = {});
  void remove_stream(const std::string& name);
  std::uint64_t count(const std::string& stream);
  /// All messages of the stream, in its order.
  std::vector<NatsStored> read(const std::string& stream);

 private:
  struct Client;
  std::unique_ptr<Client> client_;
};

}  // namespace support

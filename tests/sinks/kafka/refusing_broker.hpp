#pragma once

// A broker that knows SASL PLAIN and refuses every password. The mock cluster has no SASL.

#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace kafka_test {

class RefusingBroker {
 public:
  RefusingBroker();
  ~RefusingBroker();
  RefusingBroker(const RefusingBroker&) = delete;
  RefusingBroker& operator=(const RefusingBroker&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// The passwords that were tried, each once if it came several times in a row.
  std::vector<std::string> tried() const;

 private:
  void serve(const std::stop_token& stop);
  bool answer(int connection);
  std::string answer_to(const std::string& request);
  void note(const std::string& request);

  int listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> tried_;
  std::jthread thread_;
};

}  // namespace kafka_test

#pragma once

// The client library alone: what a relay cannot be faster than.

#include <cstddef>
#include <memory>
#include <string>

namespace relay_bench {

class BareClient {
 public:
  explicit BareClient(const std::string& url);
  ~BareClient();
  BareClient(const BareClient&) = delete;
  BareClient& operator=(const BareClient&) = delete;

  /// Replaces the stream `name` by an empty one, in files, that takes `subject`.
  void make_stream(const std::string& name, const std::string& subject);
  std::size_t count(const std::string& stream);
  /// Publishes `messages` of `body`, `batch` at a time, each batch acknowledged as a whole before
  /// the next one, with the headers that the relay has.
  void publish(const std::string& subject, const std::string& body, std::size_t messages,
               std::size_t batch, const std::string& ids);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relay_bench

#pragma once

// The page over HTTP, on the loopback interface alone.

#include <memory>
#include <string>

#include "api.hpp"

namespace page {

class Server {
 public:
  /// Serves from here on, on threads of its own. `port`: 0 for any free one.
  /// Throws: `std::runtime_error` when it cannot listen.
  Server(Desk desk, int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The link that lets a person in: "http://127.0.0.1:8123/#t=…".
  std::string link() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace page

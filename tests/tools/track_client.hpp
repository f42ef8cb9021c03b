#pragma once

// Bodies for the stand-in of the Track API, and a client that posts them.

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "sinks/sigpipe.hpp"
#include "track_server/server.hpp"

namespace track_server_test {

inline constexpr auto bearer = "Bearer secret";
inline const std::string event =
    R"({"event_name":"invite_sent","properties":{"z":1,"a":2},"user_id":"766b-fee8h345",)"
    R"("timestamp":"2024-10-20T15:51:35.059000Z","context":{"group_id":"bp497d1a"}})";

inline std::string batch_of(std::size_t count) {
  std::string body = "[" + event;
  for (std::size_t i = 1; i < count; ++i) body += "," + event;
  return body + "]";
}

// An event with one field put to another JSON value; "" removes it.
inline std::string batch_with(const std::string& field, const std::string& value) {
  auto changed = nlohmann::ordered_json::parse(event);
  changed.erase(field);
  if (!value.empty()) changed[field] = nlohmann::ordered_json::parse(value);
  return "[" + event + "," + changed.dump() + "]";
}

// A body of exactly `bytes`: one event with a long property.
inline std::string body_of_bytes(std::size_t bytes) {
  const std::string start = R"([{"properties":{"text":")";
  const std::string end =
      R"("},"event_name":"a","user_id":"b","timestamp":"2024-10-20T15:51:35Z"}])";
  return start + std::string(bytes - start.size() - end.size(), 'x') + end;
}

// Requests to a server, with a credential, over one connection that is kept alive.
class Client {
 public:
  explicit Client(const track_server::TrackServer& server) : http_{"127.0.0.1", server.port()} {
    http_.set_keep_alive(true);
    http_.set_tcp_nodelay(true);
    http_.set_connection_timeout(std::chrono::seconds{10});
    http_.set_read_timeout(std::chrono::seconds{90});
  }

  httplib::Result post(const std::string& body,
                       const httplib::Headers& headers = {{"Authorization", bearer}}) {
    return http_.Post("/api/track", headers, body, "application/json");
  }
  httplib::Client& http() { return http_; }

 private:
  // A server that refuses a body may close the connection while it is being written.
  outbox::sinks::HeldSigpipe held_ = {};
  httplib::Client http_;
};

// 0: closed without an answer.
inline int status_of(const httplib::Result& result) {
  return result ? result->status : 0;
}

}  // namespace track_server_test

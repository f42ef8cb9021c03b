#pragma once

// A webhook's receiver on loopback: it keeps what comes and answers what it is told.

#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace support {

struct WebhookAnswer {
  int status = 204;
  std::string body = {};
  std::string content_type = "text/plain";
};

struct WebhookRequest {
  httplib::Headers headers = {};
  std::string body = {};

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

class WebhookReceiver {
 public:
  using Answer = WebhookAnswer;
  using Request = WebhookRequest;

  /// `answer` may wait; up to 64 connections are served at once.
  explicit WebhookReceiver(std::function<Answer(const Request&)> answer = [](const Request&) {
    return Answer{};
  }) {
    // A connection that is kept has a thread of its own.
    server_.new_task_queue = [] { return new httplib::ThreadPool{connections_max}; };
    server_.set_keep_alive_max_count(1'000'000);
    server_.set_tcp_nodelay(true);
    server_.Post("/hook", [this, answer](const httplib::Request& got, httplib::Response& response) {
      const Request request{got.headers, got.body};
      {
        const std::scoped_lock lock{mutex_};
        requests_.push_back(request);
        most_at_once_ = std::max(most_at_once_, ++at_once_);
      }
      const Answer said = answer(request);
      response.status = said.status;
      if (!said.body.empty()) response.set_content(said.body, said.content_type);
      const std::scoped_lock lock{mutex_};
      --at_once_;
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    if (port_ < 0) throw std::runtime_error{"no port"};
    thread_ = std::thread{[this] { server_.listen_after_bind(); }};
    while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  ~WebhookReceiver() {
    server_.stop();
    thread_.join();
  }
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  std::vector<Request> requests() const {
    const std::scoped_lock lock{mutex_};
    return requests_;
  }
  std::size_t most_at_once() const {
    const std::scoped_lock lock{mutex_};
    return most_at_once_;
  }

 private:
  static constexpr std::size_t connections_max = 64;

  httplib::Server server_;
  int port_ = -1;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::size_t at_once_ = 0;
  std::size_t most_at_once_ = 0;
  std::thread thread_;
};

}  // namespace support

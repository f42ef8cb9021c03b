#include "server.hpp"

#include <httplib.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <latch>
#include <stdexcept>
#include <thread>

#include "assets.hpp"
#include "guard.hpp"
#include "pulse.hpp"

namespace page {

namespace {

constexpr auto host = "127.0.0.1";
constexpr std::size_t body_bytes_max = 64 * 1024;
constexpr std::size_t threads = 16;  // four of them may be held by streams
constexpr time_t io_seconds_max = 5;
// How often a stream that has nothing to say finds out whether someone still listens.
constexpr std::chrono::milliseconds between_comments{2'000};
constexpr auto prefix = "/api/v1";

const httplib::Headers& headers_of_all() {
  static const httplib::Headers headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
       "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
       "require-trusted-types-for 'script'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  return headers;
}

void write(httplib::Response& response, const Json& json) {
  response.status = 200;
  response.set_content(json.dump(-1, ' ', false, Json::error_handler_t::replace),
                       "application/json");
}

void write(httplib::Response& response, const Problem& problem) {
  response.status = problem.status();
  response.set_content(problem.json().dump(-1, ' ', false, Json::error_handler_t::replace),
                       "application/problem+json");
}

Visit visit_of(const httplib::Request& request) {
  // Two of them could be read differently by whoever stands between.
  const bool has_one_host = request.get_header_value_count("Host") == 1;
  return {.method = request.method,
          .path = request.path,
          .host = has_one_host ? request.get_header_value("Host") : "",
          .authorization = request.get_header_value("Authorization"),
          .origin = request.get_header_value("Origin"),
          .content_type = request.get_header_value("Content-Type"),
          .fetch_site = request.get_header_value("Sec-Fetch-Site"),
          .fetch_mode = request.get_header_value("Sec-Fetch-Mode"),
          .fetch_dest = request.get_header_value("Sec-Fetch-Dest")};
}

// Each place of the page is a path of its own, and one document.
std::string asset_path(const std::string& path) {
  for (const char* place : {"/", "/events", "/requests", "/audit"}) {
    if (path == place) return "/index.html";
  }
  return path;
}

}  // namespace

class Server::State {
 public:
  State(Desk desk, int port) : desk_{std::move(desk)}, token_{make_token()}, pulse_{desk_} {
    set_up();
    bind(port);
    guard_ = std::make_unique<Guard>(port_, token_);
    start();
  }
  ~State() {
    pulse_.stop();
    http_.stop();
    thread_.join();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::string link() const {
    return std::string{"http://"} + host + ":" + std::to_string(port_) + "/#t=" + token_;
  }

 private:
  void set_up();
  void bind(int port);
  void start();
  void answer_file(const httplib::Request& request, httplib::Response& response) const;
  void answer_stream(httplib::Response& response);
  void answer_status(httplib::Response& response);
  void answer(const httplib::Request& request, httplib::Response& response) const;

  const Desk desk_;
  const std::string token_;
  Pulse pulse_;
  httplib::Server http_;
  int port_ = 0;
  std::unique_ptr<Guard> guard_;
  std::latch is_running_{1};
  std::thread thread_;
};

void Server::State::set_up() {
  // A connection that waits for a next request would hold a thread; on this machine a new one costs
  // nothing.
  http_.set_keep_alive_max_count(1);
  http_.set_read_timeout(io_seconds_max);
  http_.set_write_timeout(io_seconds_max);
  http_.set_tcp_nodelay(true);
  http_.set_payload_max_length(body_bytes_max);
  http_.set_default_headers(headers_of_all());
  // Before the body is read.
  http_.set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) {
        if (request.has_header("Transfer-Encoding")) {  // httplib bounds only what has a length
          write(response, Problem{411, "the body needs a Content-Length"});
          return httplib::Server::HandlerResponse::Handled;
        }
        const auto refusal = guard_->refuse(visit_of(request));
        if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
        write(response, Problem{refusal->status, refusal->detail});
        if (refusal->status == 401) response.set_header("WWW-Authenticate", "Bearer");
        return httplib::Server::HandlerResponse::Handled;
      });
  http_.Get(
      std::string{prefix} + "/stream",
      [this](const httplib::Request&, httplib::Response& response) { answer_stream(response); });
  http_.Get(
      std::string{prefix} + "/status",
      [this](const httplib::Request&, httplib::Response& response) { answer_status(response); });
  const auto api = [this](const httplib::Request& request, httplib::Response& response) {
    answer(request, response);
  };
  http_.Get(std::string{prefix} + "/.*", api);
  http_.Post(std::string{prefix} + "/.*", api);
  http_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
    answer_file(request, response);
  });
  http_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const bool is_large = response.status == 413;
    write(response,
          Problem{response.status, is_large ? "the body is too large" : "no such thing here"});
  });
}

void Server::State::bind(int port) {
  http_.set_socket_options([](int descriptor) {
    // Not httplib's default SO_REUSEPORT, with which another program could take a part of the
    // calls.
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  port_ = port;
  if (port == 0) {
    port_ = http_.bind_to_any_port(host);
  } else if (!http_.bind_to_port(host, port)) {
    port_ = -1;
  }
  if (port_ <= 0) {
    throw std::runtime_error{"cannot listen on " + std::string{host} + ":" + std::to_string(port) +
                             ": give another --port, or none for any free one"};
  }
}

void Server::State::start() {
  http_.new_task_queue = [this] {
    auto queue = std::make_unique<httplib::ThreadPool>(threads);
    is_running_.count_down();  // from here on http_.stop() has an effect
    return queue.release();    // httplib owns it
  };
  thread_ = std::thread{[this] { http_.listen_after_bind(); }};
  is_running_.wait();
}

void Server::State::answer_file(const httplib::Request& request,
                                httplib::Response& response) const {
  const std::string path = asset_path(request.path);
  for (const Asset& asset : assets()) {
    if (asset.path != path) continue;
    response.status = 200;
    response.set_content(asset.content.data(), asset.content.size(),
                         std::string{asset.content_type});
    return;
  }
  write(response, Problem{404, "no such thing here"});
}

void Server::State::answer(const httplib::Request& request, httplib::Response& response) const {
  try {
    const std::string path = request.path.substr(std::string_view{prefix}.size());
    const auto found = request.method == "POST" ? change(desk_, path, request.body)
                                                : look(desk_, path, request.params);
    if (!found) throw Problem{404, "no such thing here"};
    write(response, *found);
  } catch (...) {
    write(response, current_problem());
  }
}

void Server::State::answer_status(httplib::Response& response) {
  if (auto told = pulse_.latest_status()) return response.set_content(*told, "application/json");
  try {
    write(response, quick_status(desk_));
  } catch (...) {
    write(response, current_problem());
  }
}

void Server::State::answer_stream(httplib::Response& response) {
  if (!pulse_.enter()) {
    write(response, Problem{503, "four pages watch already: this one asks now and then instead"});
    response.set_header("Retry-After", "5");
    return;
  }
  response.status = 200;
  const auto seen = std::make_shared<std::uint64_t>(0);
  response.set_chunked_content_provider(
      "text/event-stream",
      [this, seen](std::size_t offset, httplib::DataSink& sink) {
        if (pulse_.is_stopped()) return false;
        std::string text = offset == 0 ? "retry: 2000\n\n" : "";
        if (const auto beat = pulse_.next(*seen, between_comments)) {
          *seen = beat->number;
          text += "event: " + beat->name + "\ndata: " + beat->data + "\n\n";
        } else {
          text += ":\n\n";
        }
        return sink.write(text.data(), text.size());
      },
      [this](bool) { pulse_.leave(); });
}

Server::Server(Desk desk, int port) {
  // A browser that goes away must not end the program.
  ::signal(SIGPIPE, SIG_IGN);
  state_ = std::make_unique<State>(std::move(desk), port);
}

Server::~Server() = default;

std::string Server::link() const {
  return state_->link();
}

}  // namespace page

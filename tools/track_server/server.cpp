#include "server.hpp"

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "accepted_sockets.hpp"
#include "answer.hpp"
#include "broken_pipe.hpp"
#include "contract.hpp"
#include "journal.hpp"
#include "thread_each.hpp"

namespace track_server {

namespace {

constexpr auto track_path = "/api/track";
constexpr const char* paths[] = {track_path, "/api/identify", "/api/group"};

bool is_served(const std::string& path) {
  return std::find(std::begin(paths), std::end(paths), path) != std::end(paths);
}

constexpr int backlog = 1'024;
constexpr std::size_t payload_bytes_max = 64'000'000;
constexpr time_t keep_alive_seconds = 5;
constexpr std::size_t keep_alive_requests_max = 1'000'000;

void write(const Answer& answer, httplib::Response& response) {
  response.status = answer.status;
  response.set_content(answer.body, answer.content_type);
  response.set_header("Date", answer.date.empty() ? http_date() : answer.date);
  if (!answer.retry_after.empty()) response.set_header("Retry-After", answer.retry_after);
}

}  // namespace

class TrackServer::State {
 public:
  explicit State(Options options);
  void stop();

  const Options& options() const { return options_; }
  int port() const { return port_; }
  const Journal& journal() const { return journal_; }
  void set_mood(Mood mood);
  void set_token(std::string token);

 private:
  void set_up();
  void bind();
  void start();
  void answer(const httplib::Request& request, std::string body, httplib::Response& response);
  Answer decide(const Request& request, std::vector<std::string>& events);
  void report(const Request& request) const;
  bool is_stopping_after(std::chrono::milliseconds latency);

  const Options options_;
  Journal journal_;
  httplib::Server http_;
  int listener_ = -1;
  int port_ = 0;
  std::latch is_running_{1};
  std::atomic<std::size_t> answers_ = 0;

  std::mutex mutex_;  // guards the next four
  std::condition_variable stopping_;
  bool is_stopping_ = false;
  std::string token_;
  Mood mood_;

  std::mutex stop_mutex_;  // guards the thread
  std::thread thread_;
};

TrackServer::State::State(Options options)
    : options_{std::move(options)}, journal_{options_}, token_{options_.token} {
  set_up();
  bind();
  start();
}

void TrackServer::State::set_up() {
  http_.set_tcp_nodelay(true);
  http_.set_keep_alive_timeout(keep_alive_seconds);
  http_.set_keep_alive_max_count(keep_alive_requests_max);
  http_.set_payload_max_length(payload_bytes_max);
  const auto post = [this](const httplib::Request& request, httplib::Response& response,
                           const httplib::ContentReader& read) {
    // Read here, because httplib itself refuses a form over 8 KiB, which is what `curl -d` posts.
    std::string body;
    const bool is_whole = read([&body](const char* data, std::size_t size) {
      body.append(data, size);
      return true;
    });
    if (is_whole) answer(request, std::move(body), response);
  };
  const auto not_allowed = [](const httplib::Request&, httplib::Response& response) {
    response.set_header("Allow", "POST");
    write({.status = 405, .body = answer_body(405, "", "POST it")}, response);
  };
  for (const char* path : paths) {
    http_.Post(path, post);
    http_.Get(path, not_allowed).Put(path, not_allowed);
    http_.Patch(path, not_allowed).Delete(path, not_allowed);
    http_.Options(path, not_allowed);
  }
  http_.Get("/health", [](const httplib::Request&, httplib::Response& response) {
    write({.body = "ok", .content_type = "text/plain"}, response);
  });
  http_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (response.status != 404 || is_served(request.path)) return;
    write({.status = 404,
           .body = answer_body(404, "", "only /api/track, identify, group and /health are here")},
          response);
  });
  http_.set_logger([this](const httplib::Request& request, const httplib::Response& response) {
    if (request.method == "POST" && is_served(request.path)) return;  // reported as it came
    report({.status = response.status, .method = request.method});
  });
}

void TrackServer::State::bind() {
  http_.set_socket_options([this](int descriptor) {
    listener_ = descriptor;
    // Not httplib's default SO_REUSEPORT, which lets two servers share a port unnoticed.
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  const std::string& host = options_.host;
  port_ = options_.port;
  if (port_ == 0) {
    port_ = http_.bind_to_any_port(host);
  } else if (!http_.bind_to_port(host, port_)) {
    port_ = -1;
  }
  if (port_ <= 0) {
    throw std::runtime_error("cannot listen on " + host + ":" + std::to_string(options_.port));
  }
  // httplib's backlog is 5: of 64 clients at once, some would wait a second for TCP to try again.
  ::listen(listener_, backlog);
}

void TrackServer::State::start() {
  http_.new_task_queue = [this] {
    auto queue = std::make_unique<ThreadEach>();
    is_running_.count_down();  // from here on http_.stop() has an effect
    return queue.release();    // httplib owns it
  };
  thread_ = std::thread{[this] {
    block_broken_pipe();
    http_.listen_after_bind();
  }};
  is_running_.wait();
}

void TrackServer::State::stop() {
  {
    const std::scoped_lock lock{mutex_};
    is_stopping_ = true;
  }
  stopping_.notify_all();
  journal_.close();
  const std::scoped_lock lock{stop_mutex_};
  if (!thread_.joinable()) return;
  http_.stop();
  // After this no connection is begun; those that are open end their threads' waits at once, where
  // httplib would wait for the end of the keep-alive time.
  shut_down_all_accepted(port_);
  thread_.join();
}

void TrackServer::State::set_mood(Mood mood) {
  const std::scoped_lock lock{mutex_};
  mood_ = std::move(mood);
}

void TrackServer::State::set_token(std::string token) {
  const std::scoped_lock lock{mutex_};
  token_ = std::move(token);
}

void TrackServer::State::answer(const httplib::Request& request, std::string body,
                                httplib::Response& response) {
  Request record{.authorization = request.get_header_value("Authorization"),
                 .api_key = request.get_header_value("x-api-key"),
                 .content_type = request.get_header_value("Content-Type"),
                 .user_agent = request.get_header_value("User-Agent"),
                 .body = std::move(body),
                 .method = request.method,
                 .path = request.path};
  std::vector<std::string> events;
  const Answer answer = decide(record, events);
  record.status = answer.closes ? 0 : answer.status;
  record.events = events.size();
  journal_.record(record, std::move(events));
  report(record);

  if (is_stopping_after(answer.latency) || answer.closes) {
    shut_down_accepted(port_, request.remote_port);
  } else {
    write(answer, response);
  }
}

Answer TrackServer::State::decide(const Request& request, std::vector<std::string>& events) {
  std::string token;
  std::optional<Misbehaviour> misbehaviour;
  {
    const std::scoped_lock lock{mutex_};
    token = token_;
    misbehaviour = mood_.next(request.body);
  }
  Verdict verdict =
      judge(request.body, request.authorization, request.api_key, token, request.path);
  const std::string id = response_id(++answers_);
  Answer answer = misbehaviour ? bad_answer(verdict, id, *misbehaviour) : good_answer(verdict, id);
  if (answer.accepts) events = std::move(verdict.events);
  return answer;
}

void TrackServer::State::report(const Request& request) const {
  if (options_.on_request) options_.on_request(request);
}

bool TrackServer::State::is_stopping_after(std::chrono::milliseconds latency) {
  std::unique_lock lock{mutex_};
  return stopping_.wait_for(lock, latency, [this] { return is_stopping_; });
}

TrackServer::TrackServer(Options options) {
  const BrokenPipeKeeper keeper;
  state_ = std::make_unique<State>(std::move(options));
}

TrackServer::~TrackServer() {
  stop();
}

void TrackServer::stop() {
  state_->stop();
}
int TrackServer::port() const {
  return state_->port();
}

std::string TrackServer::url() const {
  const std::string& host = state_->options().host;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return "http://" + (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port()) +
         track_path;
}

void TrackServer::misbehave(Misbehaviour misbehaviour) {
  state_->set_mood(Mood{std::move(misbehaviour)});
}
void TrackServer::behave() {
  state_->set_mood({});
}
void TrackServer::set_token(std::string token) {
  state_->set_token(std::move(token));
}

std::vector<std::string> TrackServer::events() const {
  return state_->journal().events();
}
std::size_t TrackServer::event_count() const {
  return state_->journal().event_count();
}
std::size_t TrackServer::request_count() const {
  return state_->journal().request_count();
}
std::vector<Request> TrackServer::requests() const {
  return state_->journal().requests();
}

bool TrackServer::wait_for_events(std::size_t count, std::chrono::milliseconds time_max) const {
  return state_->journal().wait_for_events(count, time_max);
}
bool TrackServer::wait_for_requests(std::size_t count, std::chrono::milliseconds time_max) const {
  return state_->journal().wait_for_requests(count, time_max);
}

}  // namespace track_server

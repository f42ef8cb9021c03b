#include "sinks/http_sink.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "core/clock.hpp"
#include "sinks/secret_source.hpp"
#include "sinks/sigpipe.hpp"

namespace outbox::sinks {

using std::chrono::milliseconds;

HttpSink::HttpSink(HttpService service) : service_{std::move(service)} {
  start_curl();
  multi_.reset(curl_multi_init());
  if (!multi_) throw std::bad_alloc{};
}

HttpSink::~HttpSink() {
  const HeldSigpipe held;  // this is the host's thread, and closing a TLS connection writes to it
  abort();
  idle_.clear();
  multi_.reset();
}

void HttpSink::submit(std::uint64_t token, Batch batch) {
  try {
    std::variant<HttpRequest, Outcome> made = service_.request_of(std::move(batch));
    if (auto* const outcome = std::get_if<Outcome>(&made)) {
      replies_.push_back({token, std::move(*outcome)});
    } else {
      start(token, std::get<HttpRequest>(std::move(made)));
    }
  } catch (const CredentialProblem& problem) {
    note_refusal();
    reply(token, {.arrival = core::Arrival::no_credential, .error = problem.what()});
  }
}

void HttpSink::start(std::uint64_t token, HttpRequest request) {
  // An answer that nobody asked for, on a connection that has idled, would be taken for the answer
  // to this request.
  const bool is_plain = request.url.rfind("http:", 0) == 0;
  const bool has_unasked = is_plain && sockets_.have_unasked_bytes(ports_in_use());
  std::unique_ptr<HttpTransfer> transfer = idle_transfer();
  transfer->avoid_idle_connections(has_unasked);
  request.header_lines.emplace_back("Expect:");
  transfer->prepare(token, request.url, std::move(request.body), request.header_lines,
                    std::move(request.secrets));
  if (curl_multi_add_handle(multi_.get(), transfer->handle()) != CURLM_OK) throw std::bad_alloc{};
  under_way_.push_back(std::move(transfer));
  ++not_begun_;
}

std::vector<Sink::Reply> HttpSink::collect(milliseconds time_max) {
  const auto deadline = std::chrono::steady_clock::now() + time_max;
  curl_waitfd waited[] = {
      {.fd = wake_signal_.descriptor(), .events = CURL_WAIT_POLLIN, .revents = 0},
      {.fd = watched_, .events = CURL_WAIT_POLLIN, .revents = 0}};
  const unsigned count = watched_ < 0 ? 1 : 2;
  for (;;) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    not_begun_ = 0;
    // Read before polling: a finished transfer that nobody read makes the next poll wait in vain.
    gather_finished();
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const bool is_readable = waited[1].revents != 0;
    if (!replies_.empty() || wake_signal_.take() || left <= milliseconds{0} || is_readable) break;
    const auto step = std::min<milliseconds>(left, std::chrono::hours{1});  // an int holds that
    const CURLMcode code =
        curl_multi_poll(multi_.get(), waited, count, static_cast<int>(step.count()), nullptr);
    if (code != CURLM_OK) break;
  }
  return std::exchange(replies_, {});
}

void HttpSink::wake() noexcept {
  wake_signal_.raise();
}

bool HttpSink::has_new_credential() {
  return std::any_of(service_.secrets.begin(), service_.secrets.end(), is_renewed);
}

void HttpSink::abort() noexcept {
  for (const auto& transfer : under_way_)
    curl_multi_remove_handle(multi_.get(), transfer->handle());
  under_way_.clear();
  not_begun_ = 0;
  replies_.clear();
}

std::vector<long> HttpSink::ports_in_use() const {
  std::vector<long> ports;
  // One that libcurl has not begun has no connection yet, and names that of its last request.
  const std::size_t begun = under_way_.size() - not_begun_;
  for (std::size_t i = 0; i < begun; ++i) ports.push_back(under_way_[i]->local_port());
  return ports;
}

std::unique_ptr<HttpTransfer> HttpSink::idle_transfer() {
  if (idle_.empty()) return std::make_unique<HttpTransfer>(service_.target, sockets_);
  std::unique_ptr<HttpTransfer> transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

void HttpSink::gather_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto done = std::find_if(under_way_.begin(), under_way_.end(), [&](const auto& transfer) {
      return transfer->handle() == message->easy_handle;
    });
    if (done == under_way_.end()) continue;
    const CURLcode result = message->data.result;  // gone once the handle is removed
    std::unique_ptr<HttpTransfer> transfer = std::move(*done);
    under_way_.erase(done);
    reply(transfer->token(), transfer->answer(result));
    curl_multi_remove_handle(multi_.get(), transfer->handle());
    idle_.push_back(std::move(transfer));
  }
}

void HttpSink::note_refusal() {
  for (const SecretSource& secret : service_.secrets) sinks::note_refusal(secret);
}

void HttpSink::reply(std::uint64_t token, const core::Answer& answer) {
  Outcome outcome = core::judge(answer, service_.meanings, service_.bodies);
  if (core::is_about_credential(outcome)) note_refusal();
  replies_.push_back({token, std::move(outcome)});
}

}  // namespace outbox::sinks

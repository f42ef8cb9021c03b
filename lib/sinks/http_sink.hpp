#pragma once

// Batches as POSTs, several at once over libcurl's multi interface. What a service wants of them is
// its own small description: see track_sink.hpp.

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/http/judge.hpp"
#include "outbox/credentials.hpp"
#include "outbox/sink.hpp"
#include "sinks/http.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

/// One POST. `Expect:` is added: libcurl would wait a second for a 100 Continue before large
/// bodies.
struct HttpRequest {
  std::string url = {};
  std::string body = {};
  std::vector<std::string> header_lines = {};
  std::vector<std::string> secrets = {};  // what the answer must not quote
};

/// What makes the sink one for a certain service.
struct HttpService {
  std::string name;  // as `Sink::name`
  HttpTarget target;
  BatchRules rules;
  core::AnswerBodies bodies;
  std::vector<StatusMeaning> meanings;
  std::vector<SecretSource> secrets;  // are told of a refusal, and asked for another secret
  /// The request for a batch, or what becomes of it without one.
  /// Throws: `CredentialProblem` when a secret cannot be had.
  std::function<std::variant<HttpRequest, Outcome>(Batch)> request_of;
};

class HttpSink final : public Sink {
 public:
  /// Throws: `std::runtime_error` when libcurl cannot be started.
  explicit HttpSink(HttpService service);
  ~HttpSink() override;
  HttpSink(const HttpSink&) = delete;
  HttpSink& operator=(const HttpSink&) = delete;

  std::string name() const override { return service_.name; }
  BatchRules batch_rules() const override { return service_.rules; }
  void submit(std::uint64_t token, Batch batch) override;
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override;
  void watch(int descriptor) override { watched_ = descriptor; }
  void wake() noexcept override;
  bool has_new_credential() override;
  void abort() noexcept override;

 private:
  struct CloseMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  using Transfers = std::vector<std::unique_ptr<HttpTransfer>>;

  void start(std::uint64_t token, HttpRequest request);
  std::unique_ptr<HttpTransfer> idle_transfer();
  std::vector<long> ports_in_use() const;
  void gather_finished();
  void note_refusal();
  void reply(std::uint64_t token, const core::Answer& answer);

  HttpService service_;
  Sockets sockets_;  // outlives the handles below
  std::unique_ptr<CURLM, CloseMulti> multi_;
  Transfers under_way_;
  std::size_t not_begun_ = 0;  // the last of them, which libcurl has not looked at yet
  Transfers idle_;             // kept, so that their connections are
  std::vector<Reply> replies_;
  WakeSignal wake_signal_;
  int watched_ = -1;
};

}  // namespace outbox::sinks

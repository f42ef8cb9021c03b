#pragma once

// The Track API as a sink: batches as JSON arrays in POSTs, several at once over libcurl's multi
// interface.

#include <memory>
#include <vector>

#include "outbox/sink.hpp"
#include "outbox/track_api.hpp"
#include "sinks/http.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

class TrackSink final : public Sink {
 public:
  /// Throws: as `track_api`.
  explicit TrackSink(TrackApi options);
  ~TrackSink() override;
  TrackSink(const TrackSink&) = delete;
  TrackSink& operator=(const TrackSink&) = delete;

  std::string name() const override;
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

  void begin_anew();
  std::unique_ptr<HttpTransfer> idle_transfer();
  void gather_finished();
  void reply(std::uint64_t token, const core::Answer& answer);

  const std::string* url_of(const std::string& kind) const;

  HttpTarget target_;
  std::string identify_url_;  // empty: there is none
  std::string group_url_;
  std::vector<StatusMeaning> meanings_;
  Credentials credentials_;
  Sockets sockets_;  // outlives the handles below
  std::unique_ptr<CURLM, CloseMulti> multi_;
  Transfers under_way_;
  Transfers idle_;  // kept, so that their connections are
  std::vector<Reply> replies_;
  WakeSignal wake_signal_;
  int watched_ = -1;
};

}  // namespace outbox::sinks

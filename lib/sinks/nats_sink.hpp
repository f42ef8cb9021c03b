#pragma once

// NATS JetStream as a sink: each event a message, each message acknowledged.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/nats.hpp"
#include "outbox/sink.hpp"
#include "sinks/nats_connection.hpp"
#include "sinks/wake_signal.hpp"

namespace outbox::sinks {

class NatsSink final : public Sink {
 public:
  /// Throws: as `nats_jetstream`.
  explicit NatsSink(NatsOptions options);
  ~NatsSink() override;
  NatsSink(const NatsSink&) = delete;
  NatsSink& operator=(const NatsSink&) = delete;

  std::string name() const override;
  BatchRules batch_rules() const override;
  void submit(std::uint64_t token, Batch batch) override;
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override;
  void watch(int descriptor) override { watched_ = descriptor; }
  void wake() noexcept override { signal_->raise(); }
  bool has_new_credential() override;
  void abort() noexcept override;

  /// Connects if there is no connection, and looks at the stream. Throws: `NatsTrouble`.
  void connect_and_look();

 private:
  std::optional<Outcome> try_to_connect();
  void connect();
  std::unique_ptr<NatsConnection> first_that_answers();
  void add_messages(const Batch& batch);
  void gather();
  bool wait(std::chrono::steady_clock::time_point until);

  const NatsOptions options_;
  const std::vector<NatsServer> servers_;
  const std::shared_ptr<WakeSignal> signal_ = std::make_shared<WakeSignal>();
  std::unique_ptr<NatsConnection> connection_;  // null: the next batch connects
  // Until `collect`: each batch of a round would wait for the same servers, and a stop with them.
  std::optional<Outcome> no_connection_;
  std::vector<Reply> replies_;
  int watched_ = -1;
};

}  // namespace outbox::sinks

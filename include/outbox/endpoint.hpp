#pragma once

#include <memory>

#include "outbox/export.hpp"

namespace outbox {
inline namespace v1 {

class Sink;  // outbox/sink.hpp

/// Where a connection without TLS is allowed.
enum class PlainText {
  to_loopback,  ///< Only to 127.0.0.0/8, ::1 and localhost. Of Kafka, the first brokers alone.
  to_anyone,    ///< Credentials and people's data may cross the network in the clear.
};

/// Where events go: an opaque, movable handle that a `Dispatcher` or `deliver_once` uses.
/// Threads: used by one of them at a time.
class OUTBOX_API Endpoint {
 public:
  /// Throws: `std::invalid_argument` when `sink` is null.
  explicit Endpoint(std::unique_ptr<Sink> sink);
  ~Endpoint();
  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;

  /// Throws: `std::logic_error` when it was moved from.
  Sink& sink() const;

 private:
  std::unique_ptr<Sink> sink_;
};

}  // namespace v1
}  // namespace outbox

// The few compiled parts of the public values.

#include <stdexcept>
#include <utility>

#include "core/event/timestamp.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/errors.hpp"
#include "outbox/events.hpp"
#include "outbox/sink.hpp"
#include "outbox/version.hpp"

namespace outbox {
inline namespace v1 {

namespace {

std::string text_of(std::size_t element, const std::string& field, const std::string& reason) {
  std::string text = "events[" + std::to_string(element) + "]";
  if (!field.empty()) text += "." + field;
  return text + ": " + reason;
}

}  // namespace

const char* version() noexcept {
  return OUTBOX_VERSION;
}

Timestamp::Timestamp(std::chrono::sys_time<std::chrono::microseconds> instant)
    : text_{core::utc_text(instant)} {}

invalid_event::invalid_event(std::size_t element, std::string field, std::string reason)
    : std::invalid_argument{text_of(element, field, reason)},
      element_{element},
      field_{std::move(field)},
      reason_{std::move(reason)} {}

not_in_transaction::not_in_transaction()
    : std::logic_error{
          "outbox: enqueue outside a transaction: begin one (BEGIN IMMEDIATE), so that "
          "the event and your own rows commit together"} {}

queue_full::queue_full(std::string destination, const std::string& cap)
    : std::runtime_error{"outbox: enqueue: the queue of " + destination + " is full (" + cap + ")"},
      destination_{std::move(destination)} {}

database_error::database_error(int code, const std::string& what)
    : std::runtime_error{what}, code_{code} {}

bool database_error::is_busy() const noexcept {
  constexpr int busy = 5;       // SQLITE_BUSY
  constexpr int locked = 6;     // SQLITE_LOCKED: a shared cache
  constexpr int protocol = 15;  // SQLITE_PROTOCOL: lost the race for the WAL's lock too often
  const int primary = code_ & 0xFF;
  return primary == busy || primary == locked || primary == protocol;
}

forked_process::forked_process()
    : std::logic_error{
          "outbox: this process was forked while its parent had a dispatcher or was in "
          "deliver_once, and cannot use SQLite: fork first, or exec here"} {}

Sink::~Sink() = default;
void Sink::watch(int) {}

Endpoint::Endpoint(std::unique_ptr<Sink> sink) : sink_{std::move(sink)} {
  if (!sink_) throw std::invalid_argument{"outbox: endpoint: has no sink"};
}

Sink& Endpoint::sink() const {
  if (!sink_) throw std::logic_error{"outbox: the endpoint was moved from: each is used once"};
  return *sink_;
}
Endpoint::~Endpoint() = default;
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;

}  // namespace v1
}  // namespace outbox

#include "dispatch/options.hpp"

#include <stdexcept>

#include "core/event/enqueue_options.hpp"
#include "core/event/limits.hpp"

namespace outbox::dispatch {

namespace {

using std::chrono::milliseconds;

void require(bool is_met, const char* what) {
  if (!is_met) throw std::invalid_argument{std::string{"outbox: "} + what};
}

}  // namespace

void require_options(const DispatcherOptions& options) {
  core::require_destination_name(options.destination);
  require(options.batch_events >= 1 && options.batch_events <= core::request_events_max,
          "batch_events: must be 1 to 1,000");
  require(options.batch_bytes >= core::request_bytes_min &&
              options.batch_bytes <= core::request_bytes_max,
          "batch_bytes: must be 1,000 to 2,000,000");
  require(options.connections >= 1 && options.connections <= 64, "connections: must be 1 to 64");
  require(options.backoff_min >= milliseconds{1}, "backoff_min: must be at least 1 ms");
  require(
      options.backoff_max >= options.backoff_min && options.backoff_max <= std::chrono::hours{24},
      "backoff_max: must be backoff_min to 24 h");
  require(options.solo_failures_max >= 1, "solo_failures_max: must be at least 1");
  require(options.keep_delivered.value_or(milliseconds{0}) >= milliseconds{0},
          "keep_delivered: must not be negative");
  require(!options.give_up_after || *options.give_up_after >= milliseconds{1},
          "give_up_after: must be at least 1 ms");
  const double rate = options.requests_per_second_max.value_or(1.0);
  require(rate >= 0.001 && rate <= 100'000.0,  // false for what is no number
          "requests_per_second_max: must be 0.001 to 100,000");
}

storage::ServeOptions serve_options_of(const Sink& sink, const DispatcherOptions& options,
                                       const std::string& identity) {
  return {.endpoint = sink.name(),
          .identity = identity,
          .foreign = options.pauses_foreign_database ? storage::Foreign::is_paused
                                                     : storage::Foreign::is_served,
          .on_dead = options.blocks_on_dead ? core::OnDead::blocks : core::OnDead::unblocks,
          .scrubs = options.scrubs_delivered};
}

}  // namespace outbox::dispatch
